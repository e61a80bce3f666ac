use std::io::Write as _;

use dvt_contracts::{
    DeadLetter, DeadLetterCause, DeadLetterQuery, MAX_PAGE, OutboxStorage, RunKey,
};

use super::letter_object::{LetterObject, cause, state};
use crate::args::DeadLettersArgs;
use crate::console::{Console, Tint};
use crate::failure::{Exit, Failure};
use crate::listing::{Cell, Column, Listing};
use crate::text;

/// Lists dead letters, in the memory of one page however many there are.
pub(super) async fn list(
    store: &dyn OutboxStorage,
    args: &DeadLettersArgs,
    console: &mut Console,
) -> Result<Exit, Failure> {
    let mut listing = Listing::new(COLUMNS);
    let mut left = if args.all { u64::MAX } else { args.limit };
    let tenant_and_run = args.tenant.clone().zip(args.run.clone());
    let run = tenant_and_run.map(|(tenant, run)| RunKey::new(tenant, run));
    let mut query = DeadLetterQuery {
        tenant_id: args.tenant.clone(),
        open_only: args.open,
        // They come in the order of run and number: those of one run follow each other.
        after: run.clone().map(|run| (run, 0)),
        limit: MAX_PAGE,
    };
    let mut listed = 0;
    let mut has_more = false;
    while !has_more {
        // One more than is printed tells whether there are more.
        query.limit = u32::try_from(left.saturating_add(1))
            .unwrap_or(MAX_PAGE)
            .min(MAX_PAGE);
        let mut page = store.list_dead_letters(&query).await?;
        let asked = query.limit as usize;
        let is_full = page.len() >= asked;
        page.retain(|letter| run.as_ref().is_none_or(|run| letter.run == *run));
        let is_last = !is_full || page.len() < asked;
        query.after = page
            .last()
            .map(|last| (last.run.clone(), last.dead_letter_no));
        let fitting = usize::try_from(left).unwrap_or(usize::MAX);
        has_more = page.len() > fitting;
        page.truncate(fitting);
        left -= page.len() as u64;
        listed += page.len();
        if args.json {
            for letter in &page {
                console.out.write_json(&LetterObject::from(letter))?;
            }
        } else if !page.is_empty() {
            let rows: Vec<_> = page.iter().map(row).collect();
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
        writeln!(console.err, "no dead letters")?;
    }
    Ok(Exit::Done)
}

const COLUMNS: [Column; 9] = [
    Column::text("tenant").needed(),
    Column::text("run").needed(),
    Column::number("no").needed(),
    Column::number("seq").needed(),
    Column::number("attempts").needed(),
    Column::text("cause"),
    Column::text("state").needed(),
    Column::text("dead at"),
    Column::text("error").needed(),
];

fn row(letter: &DeadLetter) -> [Cell; 9] {
    let short = match letter.cause {
        DeadLetterCause::AttemptsExhausted => "attempts",
        DeadLetterCause::ParkedByOperator => "operator",
    };
    let state = match state(letter) {
        state if letter.is_open() => Cell::tinted(Tint::Red, state),
        state if letter.is_skipped() => Cell::tinted(Tint::Yellow, state),
        state => Cell::from(state),
    };
    [
        Cell::from(&letter.run.tenant_id),
        Cell::from(&letter.run.run_id),
        Cell::from(letter.dead_letter_no),
        Cell::from(letter.run_seq),
        Cell::from(letter.attempts),
        Cell::shortly(short, cause(letter.cause)),
        state,
        Cell::moment(letter.dead_at),
        Cell::from(text::one_line(letter.error.as_str())),
    ]
}

#[cfg(test)]
mod tests;
