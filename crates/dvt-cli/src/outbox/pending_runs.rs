use std::io::Write as _;

use dvt_contracts::{MAX_PAGE, OutboxStorage, PendingQuery, PendingRun, PendingState, Timestamp};

use super::pending_object::{PendingObject, state};
use crate::args::{RunWait, StatusArgs};
use crate::console::{Console, Tint};
use crate::failure::{Exit, Failure};
use crate::listing::{Cell, Column, Listing};
use crate::text;

/// As many as a person looks at.
const DEFAULT_LIMIT: u64 = 100;

/// Lists the runs with undelivered events, in the memory of one page however many there are.
pub(super) async fn list(
    store: &dyn OutboxStorage,
    args: &StatusArgs,
    now: Timestamp,
    console: &mut Console,
) -> Result<Exit, Failure> {
    let mut listing = Listing::new(COLUMNS);
    let mut left = match args.all {
        true => u64::MAX,
        false => args.limit.unwrap_or(DEFAULT_LIMIT),
    };
    let mut query = PendingQuery {
        tenant_id: args.tenant.clone(),
        ..PendingQuery::default()
    };
    let mut listed = 0;
    let mut has_more = false;
    while !has_more {
        // One more than is printed tells whether there are more. A state narrows only what has been read.
        if args.state.is_none() {
            query.limit = u32::try_from(left.saturating_add(1)).unwrap_or(MAX_PAGE);
        }
        let mut page = store.list_pending(&query).await?;
        let is_last = page.len() < query.limit.min(MAX_PAGE) as usize;
        query.after = page.last().map(|run| run.run.clone());
        page.retain(|run| args.state.is_none_or(|wanted| wanted.is(run.state)));
        let fitting = usize::try_from(left).unwrap_or(usize::MAX);
        has_more = page.len() > fitting;
        page.truncate(fitting);
        left -= page.len() as u64;
        listed += page.len();
        if args.json {
            for run in &page {
                console.out.write_json(&PendingObject::from(run))?;
            }
        } else if !page.is_empty() {
            let rows: Vec<_> = page.iter().map(|run| row(run, now)).collect();
            listing.write(&rows, &mut console.out)?;
        }
        if is_last {
            break;
        }
    }
    console.out.flush()?;
    listing.tell_left_out(&mut console.err)?;
    if has_more {
        writeln!(
            console.err,
            "there are more: list --all, or a greater --limit"
        )?;
    } else if listed == 0 {
        writeln!(console.err, "no runs")?;
    }
    Ok(Exit::Done)
}

impl RunWait {
    fn is(self, state: PendingState) -> bool {
        match state {
            PendingState::Due => self == Self::Due,
            PendingState::Leased { .. } => self == Self::Leased,
            PendingState::BackingOff { .. } => self == Self::BackingOff,
            PendingState::Parked { .. } => self == Self::Parked,
        }
    }
}

const COLUMNS: [Column; 12] = [
    Column::text("tenant").needed(),
    Column::text("run").needed(),
    Column::text("state").needed(),
    Column::number("undelivered").needed(),
    Column::number("attempts").needed(),
    Column::text("age").needed(),
    Column::text("error").needed(),
    Column::text("until"),
    Column::number("delivered"),
    Column::number("head"),
    Column::number("claim"),
    Column::number("unfinished claims"),
];

fn row(run: &PendingRun, now: Timestamp) -> [Cell; 12] {
    let (tint, until) = match run.state {
        PendingState::Due => (None, None),
        PendingState::Leased { until } => (Some(Tint::Cyan), Some(until)),
        PendingState::BackingOff { until } => (Some(Tint::Yellow), Some(until)),
        PendingState::Parked { .. } => (Some(Tint::Red), None),
    };
    let state = state(run.state);
    let age = text::duration(now.saturating_since(run.pending_since));
    let error = run.last_error.as_ref().map_or("", |error| error.as_str());
    [
        Cell::from(&run.run.tenant_id),
        Cell::from(&run.run.run_id),
        tint.map_or_else(|| Cell::from(state), |tint| Cell::tinted(tint, state)),
        Cell::from(run.last_seq.saturating_sub(run.delivered_seq)),
        Cell::from(run.attempts),
        Cell::shortly(age, run.pending_since),
        Cell::from(text::one_line(error)),
        until.map_or_else(|| Cell::from(""), Cell::moment),
        Cell::from(run.delivered_seq),
        Cell::from(run.last_seq),
        Cell::from(run.claim_no),
        Cell::from(run.unfinished_claims),
    ]
}

#[cfg(test)]
mod tests;
