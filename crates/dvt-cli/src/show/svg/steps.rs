use std::collections::HashMap;
use std::io::{self, Write};

use dvt_contracts::StepStatus;

use super::super::attempts::{Row, word};
use super::super::board::symbol;
use super::super::course::Step;
use super::escaped::Escaped;
use super::{EDGE, LINE, PLOT, PLOT_WIDTH, ROW, Svg, TIME_END, WIDTH};
use crate::text;

const NAME: usize = EDGE + 36;
const BAR: usize = 12;
/// On a narrower bar stripes only hide its colour.
const HATCHED: f64 = 7.0;
/// The characters that fit between mark and time, in any monospaced font.
const NAME_COLUMNS: usize = 42;
/// A tooltip of more lines is cut off by what shows it.
const TOLD_ATTEMPTS: usize = 12;

impl Svg<'_> {
    /// The chosen steps, one row for each.
    pub(super) fn steps(&mut self, out: &mut Vec<u8>) -> io::Result<()> {
        let shown = text::counted(self.selection.steps.len() as u64, "step");
        let title = match self.selection.hidden {
            0 => "all steps".to_owned(),
            _ => format!("{shown}: the longest, those in trouble, the chain"),
        };
        let count = self.selection.steps.len();
        self.axis(out, &title, count * ROW)?;
        let mut middles = HashMap::new();
        for (place, at) in self.selection.steps.iter().enumerate() {
            for row in &self.course.steps[*at].rows {
                middles.insert(*row, self.y + place * ROW + ROW / 2);
            }
        }
        self.links(out, &middles)?;
        for place in 0..count {
            let step = &self.course.steps[self.selection.steps[place]];
            self.step(out, step)?;
            self.y += ROW;
        }
        self.y += LINE;
        Ok(())
    }

    /// From the end of each attempt in the chain to the start of the next one.
    fn links(&self, out: &mut Vec<u8>, middles: &HashMap<usize, usize>) -> io::Result<()> {
        let (mut near, mut far) = (String::new(), String::new());
        for pair in self.course.chain.rows.windows(2) {
            let (previous, row) = (&self.course.rows[pair[0]], &self.course.rows[pair[1]]);
            let (from, to) = (self.x(previous.ended_at), self.x(row.started_at));
            match (middles.get(&pair[0]), middles.get(&pair[1])) {
                (Some(above), Some(below)) => {
                    near += &format!("M{from:.1} {above}V{below}H{to:.1}");
                }
                // The one before is not drawn.
                (None, Some(below)) => far += &format!("M{from:.1} {below}H{to:.1}"),
                _ => {}
            }
        }
        for (class, path) in [("link", near), ("link far", far)] {
            if !path.is_empty() {
                writeln!(out, r#"<path class="{class}" d="{path}"/>"#)?;
            }
        }
        Ok(())
    }

    fn step(&self, out: &mut Vec<u8>, step: &Step) -> io::Result<()> {
        let y = self.y;
        let baseline = y + 14;
        writeln!(
            out,
            r#"<g class="row"><title>{}</title><rect class="hit" x="{EDGE}" y="{y}" width="{}" height="{ROW}"/>"#,
            Escaped(self.told(step)),
            WIDTH - 2 * EDGE,
        )?;
        if step.in_chain {
            write!(
                out,
                r#"<text class="chain" x="{EDGE}" y="{baseline}">◆</text>"#
            )?;
        }
        let repeats = match step.rows.len() {
            1 => String::new(),
            all => format!("\u{a0}×{all}"),
        };
        let room = NAME_COLUMNS - text::columns(&repeats).min(NAME_COLUMNS);
        writeln!(
            out,
            r#"<text class="{}" x="{}" y="{baseline}">{}</text><text x="{NAME}" y="{baseline}">{}<tspan class="dim">{repeats}</tspan></text><text class="end dim" x="{TIME_END}" y="{baseline}">{}</text>"#,
            word(step.status),
            EDGE + 16,
            symbol(step.status),
            Escaped(text::shortened(step.id.as_str(), room)),
            text::duration(step.work),
        )?;
        for row in self.course.rows_of(step) {
            self.bar(out, row)?;
        }
        writeln!(out, "</g>")
    }

    fn bar(&self, out: &mut Vec<u8>, row: &Row) -> io::Result<()> {
        let least = if row.status == StepStatus::Skipped {
            4.0
        } else {
            2.0
        };
        let end = (PLOT + PLOT_WIDTH) as f64;
        let x = self.x(row.started_at).min(end - least);
        let width = (self.x(row.ended_at) - x).max(least);
        let y = self.y + (ROW - BAR) / 2;
        let rect = |class: &str| {
            format!(
                r#"<rect {class} x="{x:.1}" y="{y}" width="{width:.1}" height="{BAR}" rx="1.5"/>"#
            )
        };
        write!(out, "{}", rect(&format!(r#"class="{}""#, word(row.status))))?;
        if row.status == StepStatus::Failed && width >= HATCHED {
            write!(out, "{}", rect(r#"fill="url(#hatch)""#))?;
        }
        if row.link.is_some() {
            let under = self.y + ROW - 3;
            write!(
                out,
                r#"<rect class="mark" x="{x:.1}" y="{under}" width="{width:.1}" height="2"/>"#
            )?;
        }
        writeln!(out)
    }

    /// What a tooltip tells about a step.
    fn told(&self, step: &Step) -> String {
        let mut words = step.id.to_string();
        for row in self.course.rows_of(step).take(TOLD_ATTEMPTS) {
            words += &format!(
                "\nattempt {} {}: +{} to +{}, {}",
                row.attempt,
                word(row.status),
                text::duration(self.offset(row.started_at)),
                text::duration(self.offset(row.ended_at)),
                text::duration(row.duration()),
            );
        }
        if step.rows.len() > TOLD_ATTEMPTS {
            words += &format!("\nand {} more", step.rows.len() - TOLD_ATTEMPTS);
        }
        words
    }
}
