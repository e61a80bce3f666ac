use std::io::Write as _;

use dvt_contracts::{OperatorNote, OutboxStorage, Retarget};
use serde::Serialize;

use super::refusal;
use crate::args::RetargetArgs;
use crate::console::Console;
use crate::failure::{Exit, Failure};
use crate::text;

/// Replaces the destination, and tells the change that stands: a repetition tells the same again.
pub(super) async fn replace(
    store: &dyn OutboxStorage,
    args: &RetargetArgs,
    note: &OperatorNote,
    console: &mut Console,
) -> Result<Exit, Failure> {
    store
        .retarget(&args.from, &args.to, note)
        .await
        .map_err(refusal::failure)?;
    let stats = store.stats().await?;
    let last = stats.last_retarget.as_ref();
    if args.json {
        let answer = Answer {
            destination: stats.destination.as_ref().map(|name| name.as_str()),
            last_retarget: last.map(RetargetObject::from),
        };
        console.out.write_json(&answer)?;
        return Ok(Exit::Done);
    }
    let to = stats.destination.as_ref().unwrap_or(&args.to);
    let words = match last {
        Some(last) => format!(
            "the outbox delivers to {to}; retargeted from {} by {} at {}: {}",
            last.from, last.note.by, last.at, last.note.reason
        ),
        None => format!("the outbox delivers to {to}, and always has"),
    };
    writeln!(console.out, "{}", text::one_line(&words))?;
    Ok(Exit::Done)
}

/// What `--json` answers.
#[derive(Debug, Serialize)]
struct Answer<'a> {
    destination: Option<&'a str>,
    last_retarget: Option<RetargetObject<'a>>,
}

/// A change of the destination as `--json` tells it.
#[derive(Debug, Serialize)]
pub(super) struct RetargetObject<'a> {
    pub(super) from: &'a str,
    pub(super) to: &'a str,
    pub(super) by: &'a str,
    pub(super) reason: &'a str,
    pub(super) at: String,
}

impl<'a> From<&'a Retarget> for RetargetObject<'a> {
    fn from(change: &'a Retarget) -> Self {
        Self {
            from: change.from.as_str(),
            to: change.to.as_str(),
            by: change.note.by.as_str(),
            reason: change.note.reason.as_str(),
            at: change.at.to_string(),
        }
    }
}

#[cfg(test)]
mod tests;
