use std::io::{self, Write as _};

use dvt_contracts::StepStatus;

use super::attempts::Row;
use super::scale::{Bar, Scale, Span};
use super::table::tint;
use crate::console::{Page, Tint};
use crate::text;

/// The columns between two labels of the axis.
const TICK_GAP: usize = 10;
/// Names take at most this part of the width; the bars are what is looked at.
const NAME_PART: usize = 3;

/// Draws one bar per attempt on a common axis, to scale.
pub(super) fn write(rows: &[Row], span: Span, page: &mut Page) -> io::Result<()> {
    let longest = rows
        .iter()
        .map(|row| text::columns(&label(row)))
        .max()
        .unwrap_or(0);
    let name = longest.clamp(4, page.width / NAME_PART);
    let columns = page.width.saturating_sub(name + 2).max(1);
    let scale = Scale::new(span, columns);
    let (labels, marks) = axis(scale, columns);
    let margin = " ".repeat(name);
    writeln!(
        page,
        "{}",
        page.paint.paint(
            Tint::Dim,
            format_args!("{margin}  {labels}").to_string().trim_end()
        )
    )?;
    writeln!(
        page,
        "{}",
        page.paint
            .paint(Tint::Dim, format_args!("{margin} ┌{marks}"))
    )?;
    for row in rows {
        let bar = scale.bar(row.started_at, row.ended_at);
        let indent = " ".repeat(bar.column);
        let drawn = page.paint.paint(tint(row.status), glyphs(row.status, bar));
        let border = page.paint.paint(Tint::Dim, "│");
        writeln!(
            page,
            "{} {border}{indent}{drawn}",
            text::fitted(&label(row), name)
        )?;
    }
    let legend = "█ completed   ▓ failed   · skipped   ░▶ running";
    writeln!(page, "{margin}  {}", page.paint.paint(Tint::Dim, legend))
}

fn label(row: &Row) -> String {
    match row.attempt.get() {
        1 => row.step_id.to_string(),
        attempt => format!("{} #{attempt}", row.step_id),
    }
}

fn glyphs(status: StepStatus, bar: Bar) -> String {
    match status {
        StepStatus::Completed => "█".repeat(bar.length),
        StepStatus::Failed => "▓".repeat(bar.length),
        StepStatus::Skipped => "·".repeat(bar.length),
        StepStatus::Running => format!("{}▶", "░".repeat(bar.length - 1)),
    }
}

/// The labels of the axis, and the line below them with a mark under the first column of each.
fn axis(scale: Scale, columns: usize) -> (String, String) {
    let mut labels = String::new();
    let mut marks: Vec<char> = vec!['─'; columns];
    for (column, offset) in scale.ticks(TICK_GAP) {
        let label = match offset.is_zero() {
            true => "0".to_owned(),
            false => text::duration(offset),
        };
        let used = text::columns(&labels);
        let fits = column + text::columns(&label) <= columns;
        if fits && (used < column || column == 0) {
            labels.push_str(&" ".repeat(column - used));
            labels.push_str(&label);
            if let Some(mark) = marks.get_mut(column) {
                *mark = '┬';
            }
        }
    }
    (labels, marks.into_iter().collect())
}
