use std::io::{self, Write as _};

use dvt_contracts::StepStatus;

use super::cells::Cells;
use super::course::{Course, STATUSES, Step};
use super::groups::Group;
use super::load::Load;
use super::scale::Scale;
use super::selection::Selection;
use crate::console::{Page, Tint};
use crate::text;

/// The columns of a terminal: what is told about a step on the left, its bars on a common axis on the right.
#[derive(Debug)]
pub(super) struct Board<'a> {
    course: &'a Course,
    selection: &'a Selection,
    name: usize,
    /// Only where there is room, or something to tell.
    start: bool,
    attempts: usize,
    scale: Scale,
    columns: usize,
}

const TIME: usize = 9;
/// The mark of the chain, the symbol of the status, and a blank.
const MARKS: usize = 3;
/// Where there is less, names and bars need the room.
const ROOM_FOR_START: usize = 100;
const ROOM_FOR_WORDS: usize = 40;
const ROOM_FOR_NAMES: usize = 60;
/// The columns between two labels of the axis.
const TICK_GAP: usize = 10;
/// After this many rows the axis is out of sight.
const AXIS_AGAIN: usize = 45;

const CHAIN: &str = "◆";
const LEGEND: [&str; 5] = [
    "◆ decided the length, ╌ waited",
    "██ completed",
    "▓✗ failed",
    "· skipped",
    "░▶ running",
];

/// The colour of a step's status.
pub(super) fn tint(status: StepStatus) -> Tint {
    match status {
        StepStatus::Running => Tint::Cyan,
        StepStatus::Completed => Tint::Green,
        StepStatus::Failed => Tint::Red,
        StepStatus::Skipped => Tint::Dim,
    }
}

/// One character for a step's status.
pub(super) fn symbol(status: StepStatus) -> &'static str {
    match status {
        StepStatus::Running => "▶",
        StepStatus::Completed => "✓",
        StepStatus::Failed => "✗",
        StepStatus::Skipped => "-",
    }
}

impl<'a> Board<'a> {
    /// Divides the width.
    pub(super) fn new(course: &'a Course, selection: &'a Selection, width: usize) -> Self {
        let steps = || selection.steps.iter().map(|at| &course.steps[*at]);
        let longest = steps().map(|step| text::columns(step.id.as_str())).max();
        let most = if width < ROOM_FOR_NAMES {
            width / 4
        } else {
            width / 3
        };
        let name = longest.unwrap_or(0).clamp(5, most);
        let retried = steps().map(|step| repeats(step).len()).max().unwrap_or(0);
        let start = width >= ROOM_FOR_START;
        let mut board = Self {
            course,
            selection,
            name,
            start,
            // The sign of times is one column in two bytes.
            attempts: retried.saturating_sub(1),
            scale: Scale::new(course.span, 1),
            columns: 1,
        };
        board.columns = width.saturating_sub(board.margin() + 1).max(1);
        board.scale = Scale::new(course.span, board.columns);
        board
    }

    /// Writes the groups, if there are any, and the steps.
    pub(super) fn write(&self, page: &mut Page) -> io::Result<()> {
        if !self.selection.groups.is_empty() {
            writeln!(page)?;
            self.groups(page)?;
        }
        if self.selection.steps.is_empty() {
            return Ok(());
        }
        writeln!(page)?;
        self.axis(page, &self.line("  ", "step", "", "start", "time"))?;
        for at in &self.selection.steps {
            self.step(&self.course.steps[*at], page)?;
        }
        if self.selection.steps.len() > AXIS_AGAIN {
            self.axis(page, "")?;
        }
        legend(page)
    }

    fn margin(&self) -> usize {
        let attempts = if self.attempts > 0 {
            1 + self.attempts
        } else {
            0
        };
        let start = if self.start { 1 + TIME } else { 0 };
        MARKS + self.name + attempts + start + 1 + TIME + 1
    }

    /// What is left of the bars.
    fn line(&self, marks: &str, name: &str, attempts: &str, start: &str, time: &str) -> String {
        let mut line = format!("{marks} {}", text::fitted(name, self.name));
        if self.attempts > 0 {
            line += &format!(" {attempts:>width$}", width = self.attempts);
        }
        if self.start {
            line += &format!(" {start:>TIME$}");
        }
        line + &format!(" {time:>TIME$} ")
    }

    fn step(&self, step: &Step, page: &mut Page) -> io::Result<()> {
        let start = step.started_at.saturating_since(self.course.span.start);
        let mark = if step.in_chain { CHAIN } else { " " };
        let marks = format!(
            "{}{}",
            page.paint.paint(Tint::Yellow, mark),
            page.paint.paint(tint(step.status), symbol(step.status))
        );
        let line = self.line(
            &marks,
            step.id.as_str(),
            &repeats(step),
            &format!("+{}", text::duration(start)),
            &text::duration(step.work),
        );
        let mut cells = Cells::new(self.columns);
        for row in self.course.rows_of(step) {
            if let Some(previous) = row.link.and_then(|link| link.previous) {
                let waited = self
                    .scale
                    .bar(self.course.rows[previous].ended_at, row.started_at);
                cells.wait(waited);
            }
        }
        for row in self.course.rows_of(step) {
            cells.draw(row.status, self.scale.bar(row.started_at, row.ended_at));
        }
        let border = page.paint.paint(Tint::Dim, "│");
        writeln!(page, "{line}{border}{}", cells.painted(page.paint))
    }

    fn groups(&self, page: &mut Page) -> io::Result<()> {
        let groups = &self.selection.groups;
        let loads: Vec<Load> = groups
            .iter()
            .map(|group| Load::of(group, self.course, self.scale))
            .collect();
        let most = loads.iter().map(Load::most).max().unwrap_or(0);
        let margin = self.margin();
        let in_words = margin >= ROOM_FOR_WORDS;
        let title = if in_words {
            "all steps in groups"
        } else {
            "total, longest"
        };
        self.axis(page, title)?;
        for (group, load) in groups.iter().zip(&loads) {
            self.group_title(group, page)?;
            let (total, longest) = (text::duration(group.total), text::duration(group.longest));
            let times = match in_words {
                true => format!("   total {total}, longest {longest}"),
                false => format!("   {total}, {longest}"),
            };
            let times = text::fitted(&times, margin - 1);
            let border = page.paint.paint(Tint::Dim, "│");
            let drawn = page.paint.paint(Tint::Cyan, load.drawn(most).trim_end());
            writeln!(page, "{times} {border}{drawn}")?;
        }
        Ok(())
    }

    fn group_title(&self, group: &Group, page: &mut Page) -> io::Result<()> {
        let counts = match page.width < ROOM_FOR_NAMES {
            true => STATUSES
                .into_iter()
                .map(|status| (group.count(status, self.course), symbol(status)))
                .filter(|(count, _)| *count > 0)
                .map(|(count, symbol)| format!("{symbol}{count} "))
                .collect(),
            false => format!(
                "{}: {}",
                text::counted(group.steps.len() as u64, "step"),
                group.counts(self.course)
            ),
        };
        let counts = text::shortened(counts.trim_end(), page.width * 2 / 3);
        let room = page.width.saturating_sub(text::columns(&counts) + 2);
        let name = text::shortened(&group.name, room);
        let name = page.paint.paint(Tint::Bold, name);
        writeln!(page, "{name}  {counts}")
    }

    /// The labels of the axis beside a title, and the line below them with a mark under the first column of each.
    fn axis(&self, page: &mut Page, title: &str) -> io::Result<()> {
        let margin = self.margin();
        let mut labels = String::new();
        let mut marks: Vec<char> = vec!['─'; self.columns];
        for (column, offset) in self.scale.ticks(TICK_GAP) {
            let label = match offset.is_zero() {
                true => "0".to_owned(),
                false => text::duration(offset),
            };
            let used = text::columns(&labels);
            let fits = column + text::columns(&label) <= self.columns;
            if fits && (used < column || column == 0) {
                labels.push_str(&" ".repeat(column - used));
                labels.push_str(&label);
                if let Some(mark) = marks.get_mut(column) {
                    *mark = '┬';
                }
            }
        }
        let title = text::fitted(title, margin);
        let labels = format!("{title} {labels}");
        writeln!(page, "{}", page.paint.paint(Tint::Dim, labels.trim_end()))?;
        let marks: String = marks.into_iter().collect();
        let line = format!("{}┌{marks}", " ".repeat(margin));
        writeln!(page, "{}", page.paint.paint(Tint::Dim, line))
    }
}

/// What the marks mean, on as many lines as it takes.
fn legend(page: &mut Page) -> io::Result<()> {
    let mut line = String::new();
    for words in LEGEND {
        if text::columns(&line) + text::columns(words) > page.width {
            writeln!(page, "{}", page.paint.paint(Tint::Dim, line.trim_end()))?;
            line.clear();
        }
        line += words;
        line += "   ";
    }
    writeln!(page, "{}", page.paint.paint(Tint::Dim, line.trim_end()))
}

/// How often a step was tried, if more than once.
fn repeats(step: &Step) -> String {
    match step.rows.len() {
        1 => String::new(),
        all => format!("×{all}"),
    }
}

#[cfg(test)]
mod tests;
