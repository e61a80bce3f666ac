use std::io::{self, Write};
use std::time::Duration;

use dvt_contracts::Timestamp;

use super::course::Course;
use super::header::facts;
use super::scale::Scale;
use super::selection::{Extent, Selection};
use super::{Detail, Reading, counted_anomalies, listed_anomalies, told};
use crate::text;

mod escaped;
mod groups;
mod steps;

use self::escaped::Escaped;

/// A run as a picture that needs nothing else: no script, no font, no other file.
#[derive(Debug)]
pub(super) struct Svg<'a> {
    reading: &'a Reading,
    course: &'a Course,
    selection: Selection,
    extent: Extent,
    /// How far down it is drawn.
    y: usize,
}

const STYLE: &str = include_str!("svg/style.css");

// In pixels, if it is drawn in its own size.
const WIDTH: usize = 1_200;
const EDGE: usize = 24;
/// Where the time of a step ends, and where its bars begin.
const TIME_END: usize = 440;
const PLOT: usize = 454;
const PLOT_WIDTH: usize = WIDTH - EDGE - PLOT;
const LINE: usize = 18;
const ROW: usize = 20;
const TICK_GAP: usize = 90;
/// The characters that fit between both edges, in any monospaced font.
const LINE_COLUMNS: usize = 155;

impl<'a> Svg<'a> {
    pub(super) fn new(reading: &'a Reading, extent: Extent) -> Self {
        let course = &reading.course;
        Self {
            reading,
            course,
            selection: Selection::of(course, extent),
            extent,
            y: 0,
        }
    }

    /// Draws it. The size stands at the beginning, so what is drawn comes after it.
    pub(super) fn write(mut self, file: &mut impl Write) -> io::Result<()> {
        let mut body = Vec::new();
        self.draw(&mut body)?;
        let height = self.y + EDGE;
        let record = &self.reading.record;
        writeln!(
            file,
            r#"<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}" role="img">"#
        )?;
        let title = format!("run {}: {}", record.run.run_id, record.status);
        writeln!(file, "<title>{}</title>", Escaped(title))?;
        writeln!(file, "<style>\n{STYLE}</style>")?;
        writeln!(
            file,
            r#"<defs><pattern id="hatch" width="6" height="6" patternUnits="userSpaceOnUse"><path class="hatch" d="M0 6L6 0M-1 1L1 -1M5 7L7 5"/></pattern></defs>"#
        )?;
        writeln!(
            file,
            r#"<rect class="paper" width="{WIDTH}" height="{height}"/>"#
        )?;
        file.write_all(&body)?;
        writeln!(file, "</svg>")
    }

    fn draw(&mut self, out: &mut Vec<u8>) -> io::Result<()> {
        self.header(out)?;
        if !self.selection.groups.is_empty() {
            self.groups(out)?;
        }
        if !self.selection.steps.is_empty() {
            self.steps(out)?;
            self.legend(out)?;
        }
        self.anomalies(out)
    }

    fn header(&mut self, out: &mut Vec<u8>) -> io::Result<()> {
        let record = &self.reading.record;
        self.y = EDGE + LINE;
        let status = record.status.to_string();
        writeln!(
            out,
            r#"<text class="run" x="{EDGE}" y="{}">{} <tspan class="{}">{status}</tspan></text>"#,
            self.y,
            Escaped(text::shortened(record.run.run_id.as_str(), 70)),
            status.to_lowercase(),
        )?;
        self.y += 8;
        let facts = facts(self.reading, Detail::Brief);
        let told = |labels: &[&str]| {
            let wanted = facts.iter().filter(|(label, _)| labels.contains(label));
            let words: Vec<_> = wanted
                .map(|(label, value)| format!("{label} {value}"))
                .collect();
            words.join("  ·  ")
        };
        let lines = [
            told(&["tenant", "project", "environment", "plan"]),
            told(&["started", "duration", "log", "pruned"]),
            told(&["steps", "chain"]),
        ];
        for line in lines.iter().filter(|line| !line.is_empty()) {
            self.y += LINE;
            self.text(out, "dim", EDGE, &text::shortened(line, LINE_COLUMNS))?;
        }
        self.y += LINE;
        Ok(())
    }

    /// A title, the labels of the axis, and its lines through what comes below, which is `height` high.
    fn axis(&mut self, out: &mut Vec<u8>, title: &str, height: usize) -> io::Result<()> {
        self.y += LINE;
        self.text(out, "dim", EDGE, title)?;
        let (labels, top, bottom) = (self.y, self.y + 8, self.y + 8 + height + 4);
        let mut lines = String::new();
        for (x, offset) in Scale::new(self.course.span, PLOT_WIDTH).ticks(TICK_GAP) {
            let x = PLOT + x;
            lines += &format!("M{x}.5 {top}V{bottom}");
            let label = match offset.is_zero() {
                true => "0".to_owned(),
                false => text::duration(offset),
            };
            let class = match () {
                () if offset.is_zero() => "dim",
                () if x + TICK_GAP / 2 > WIDTH - EDGE => "dim end",
                () => "dim middle",
            };
            self.y = labels;
            self.text(out, class, x, &label)?;
            // At the end of a long picture nobody remembers its beginning.
            if height > 40 * ROW {
                self.y = bottom + LINE - 4;
                self.text(out, class, x, &label)?;
            }
        }
        writeln!(out, r#"<path class="grid" d="{lines}"/>"#)?;
        writeln!(
            out,
            r#"<path class="rule" d="M{EDGE} {top}.5H{}"/>"#,
            WIDTH - EDGE
        )?;
        self.y = top + 4;
        Ok(())
    }

    fn legend(&mut self, out: &mut Vec<u8>) -> io::Result<()> {
        self.y += LINE;
        let words = "◆ decided the length: before each attempt, the one that ended last before it started  ·  ✓ completed  ✗ failed  - skipped  ▶ running";
        self.text(out, "dim", EDGE, words)?;
        if self.selection.hidden > 0 {
            self.y += LINE;
            let hidden = text::grouped(self.selection.hidden as u64);
            let words = format!("and {hidden} more that are not drawn one by one");
            self.text(out, "dim", EDGE, &words)?;
        }
        Ok(())
    }

    fn anomalies(&mut self, out: &mut Vec<u8>) -> io::Result<()> {
        let state = &self.reading.state;
        let total = state.anomalies_total();
        if total == 0 {
            return Ok(());
        }
        self.y += 2 * LINE;
        self.text(out, "name note", EDGE, &counted_anomalies(total))?;
        let listed = listed_anomalies(state, self.extent);
        for anomaly in listed {
            self.y += LINE;
            let words = format!("event {}: {}", anomaly.run_seq, told(anomaly));
            self.text(out, "", EDGE, &text::shortened(&words, LINE_COLUMNS))?;
        }
        if total > listed.len() as u64 {
            self.y += LINE;
            let hidden = text::grouped(total - listed.len() as u64);
            self.text(out, "dim", EDGE, &format!("and {hidden} more"))?;
        }
        Ok(())
    }

    fn text(&self, out: &mut Vec<u8>, class: &str, x: usize, words: &str) -> io::Result<()> {
        let (y, words) = (self.y, Escaped(words));
        writeln!(
            out,
            r#"<text class="{class}" x="{x}" y="{y}">{words}</text>"#
        )
    }

    fn offset(&self, moment: Timestamp) -> Duration {
        moment.saturating_since(self.course.span.start)
    }

    /// Where a moment is.
    fn x(&self, moment: Timestamp) -> f64 {
        let total = self.course.span.length().as_secs_f64();
        let part = match total > 0.0 {
            true => self.offset(moment).as_secs_f64() / total,
            false => 0.0,
        };
        PLOT as f64 + part * PLOT_WIDTH as f64
    }
}

#[cfg(test)]
mod tests;
