use std::io::{self, Write as _};

use dvt_contracts::{StepStatus, Timestamp};

use super::attempts::{Row, word};
use crate::console::{Page, Tint};
use crate::text;

/// The colour of a step's status.
pub(super) fn tint(status: StepStatus) -> Tint {
    match status {
        StepStatus::Running => Tint::Cyan,
        StepStatus::Completed => Tint::Green,
        StepStatus::Failed => Tint::Red,
        StepStatus::Skipped => Tint::Dim,
    }
}

const STATUS: usize = 9;
const TIME: usize = 9;
const ATTEMPTS: usize = 8;
const GAP: usize = 2;

/// Writes one line per attempt.
pub(super) fn write(rows: &[Row], start: Timestamp, page: &mut Page) -> io::Result<()> {
    let fixed = STATUS + 2 * TIME + ATTEMPTS + 4 * GAP;
    let longest = rows
        .iter()
        .map(|row| text::columns(row.step_id.as_str()))
        .max()
        .unwrap_or(0);
    let name = longest.clamp(4, page.width.saturating_sub(fixed).max(4));
    let gap = " ".repeat(GAP);
    let title = format!(
        "{:<STATUS$}{gap}{}{gap}{:>TIME$}{gap}{:>TIME$}{gap}{:>ATTEMPTS$}",
        "status",
        text::fitted("step", name),
        "start",
        "duration",
        "attempts"
    );
    writeln!(page, "{}", page.paint.paint(Tint::Dim, title))?;
    for row in rows {
        let status = format!("{:<STATUS$}", word(row.status));
        let offset = format!(
            "+{}",
            text::duration(row.started_at.saturating_since(start))
        );
        let attempts = match row.attempts.get() {
            1 => "1".to_owned(),
            all => format!("{} of {all}", row.attempt),
        };
        writeln!(
            page,
            "{}{gap}{}{gap}{offset:>TIME$}{gap}{:>TIME$}{gap}{attempts:>ATTEMPTS$}",
            page.paint.paint(tint(row.status), status),
            text::fitted(row.step_id.as_str(), name),
            text::duration(row.duration()),
        )?;
    }
    Ok(())
}
