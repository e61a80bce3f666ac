use std::io::{self, Write as _};

use dvt_contracts::{OutboxStats, OutboxStorage};
use serde::Serialize;

use super::retarget::RetargetObject;
use crate::args::StatusArgs;
use crate::console::{Console, Page, Tint};
use crate::failure::{Exit, Failure};
use crate::text;

/// Tells the whole outbox in numbers.
pub(super) async fn tell(
    store: &dyn OutboxStorage,
    args: &StatusArgs,
    console: &mut Console,
) -> Result<Exit, Failure> {
    let stats = store.stats().await?;
    let object = StatusObject::from(&stats);
    if args.json {
        console.out.write_json(&object)?;
    } else if console.out.is_terminal {
        draw(&stats, &mut console.out)?;
    } else {
        object.write_lines(&mut console.out)?;
    }
    Ok(Exit::Done)
}

/// The outbox as `--json` tells it. The names are part of the command's interface.
#[derive(Debug, Serialize)]
struct StatusObject<'a> {
    destination: Option<&'a str>,
    due_runs: u64,
    leased_runs: u64,
    backing_off_runs: u64,
    parked_runs: u64,
    pending_events: u64,
    oldest_pending_age_seconds: Option<f64>,
    dead_letters: u64,
    open_dead_letters: u64,
    skipped_events: u64,
    last_retarget: Option<RetargetObject<'a>>,
}

impl<'a> From<&'a OutboxStats> for StatusObject<'a> {
    fn from(stats: &'a OutboxStats) -> Self {
        Self {
            destination: stats.destination.as_ref().map(|name| name.as_str()),
            due_runs: stats.due_runs,
            leased_runs: stats.leased_runs,
            backing_off_runs: stats.backing_off_runs,
            parked_runs: stats.parked_runs,
            pending_events: stats.pending_events,
            oldest_pending_age_seconds: stats.oldest_pending_age.map(|age| age.as_secs_f64()),
            dead_letters: stats.dead_letters,
            // Each parked run is parked by exactly one, and an open one parks its run.
            open_dead_letters: stats.parked_runs,
            skipped_events: stats.skipped_events,
            last_retarget: stats.last_retarget.as_ref().map(RetargetObject::from),
        }
    }
}

impl StatusObject<'_> {
    /// One name and value per line.
    fn write_lines(&self, page: &mut Page) -> io::Result<()> {
        let age = self.oldest_pending_age_seconds;
        let retarget = self.last_retarget.as_ref();
        let of_retarget = |part: fn(&RetargetObject<'_>) -> String| {
            retarget.map_or_else(String::new, |change| {
                text::one_line(&part(change)).into_owned()
            })
        };
        let lines = [
            (
                "destination",
                self.destination.unwrap_or_default().to_owned(),
            ),
            ("due_runs", self.due_runs.to_string()),
            ("leased_runs", self.leased_runs.to_string()),
            ("backing_off_runs", self.backing_off_runs.to_string()),
            ("parked_runs", self.parked_runs.to_string()),
            ("pending_events", self.pending_events.to_string()),
            (
                "oldest_pending_age_seconds",
                age.map_or_else(String::new, |age| age.to_string()),
            ),
            ("dead_letters", self.dead_letters.to_string()),
            ("open_dead_letters", self.open_dead_letters.to_string()),
            ("skipped_events", self.skipped_events.to_string()),
            (
                "retargeted_from",
                of_retarget(|change| change.from.to_owned()),
            ),
            ("retargeted_by", of_retarget(|change| change.by.to_owned())),
            ("retargeted_at", of_retarget(|change| change.at.clone())),
            (
                "retargeted_reason",
                of_retarget(|change| change.reason.to_owned()),
            ),
        ];
        lines
            .iter()
            .try_for_each(|(name, value)| writeln!(page, "{name}\t{value}"))
    }
}

fn draw(stats: &OutboxStats, page: &mut Page) -> io::Result<()> {
    let none = || "none".to_owned();
    let destination = stats.destination.as_ref();
    let mut lines = vec![(
        "destination",
        destination.map_or_else(|| "none yet".to_owned(), ToString::to_string),
        None,
    )];
    if let Some(change) = &stats.last_retarget {
        let words = format!(
            "from {} by {} at {}: {}",
            change.from, change.note.by, change.at, change.note.reason
        );
        lines.push(("last retarget", text::one_line(&words).into_owned(), None));
    }
    let runs = [
        ("due", stats.due_runs, None),
        ("leased", stats.leased_runs, None),
        ("backing off", stats.backing_off_runs, Some(Tint::Yellow)),
        ("parked", stats.parked_runs, Some(Tint::Red)),
    ];
    for (state, count, tint) in runs {
        let tint = tint.filter(|_| count > 0);
        lines.push((state, text::counted(count, "run"), tint));
    }
    let letters = match stats.parked_runs {
        0 => text::grouped(stats.dead_letters),
        open => format!(
            "{}, {} open",
            text::grouped(stats.dead_letters),
            text::grouped(open)
        ),
    };
    lines.extend([
        (
            "pending",
            text::counted(stats.pending_events, "event"),
            None,
        ),
        (
            "oldest waits",
            stats.oldest_pending_age.map_or_else(none, text::duration),
            None,
        ),
        ("dead letters", letters, None),
        (
            "skipped",
            text::counted(stats.skipped_events, "event"),
            None,
        ),
    ]);
    for (name, value, tint) in lines {
        let name = page.paint.paint(Tint::Dim, format_args!("{name:<13}"));
        let value = match tint {
            Some(tint) => page.paint.paint(tint, value),
            None => value,
        };
        writeln!(page, "{name}  {value}")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
