use dvt_contracts::{DeadLetter, DeadLetterCause, Resolution, ResolutionKind};
use serde::Serialize;

/// A dead letter as `--json` tells it. The names are part of the command's interface.
#[derive(Debug, Serialize)]
pub(super) struct LetterObject<'a> {
    tenant_id: &'a str,
    run_id: &'a str,
    dead_letter_no: u64,
    run_seq: u64,
    attempts: u32,
    cause: &'static str,
    state: &'static str,
    error: &'a str,
    dead_at: String,
    resolution: Option<ResolutionObject<'a>>,
}

/// Who ended a dead letter, why and when; how is its state.
#[derive(Debug, Serialize)]
struct ResolutionObject<'a> {
    by: &'a str,
    reason: &'a str,
    at: String,
}

impl<'a> From<&'a DeadLetter> for LetterObject<'a> {
    fn from(letter: &'a DeadLetter) -> Self {
        let resolution = |resolution: &'a Resolution| ResolutionObject {
            by: resolution.note.by.as_str(),
            reason: resolution.note.reason.as_str(),
            at: resolution.at.to_string(),
        };
        Self {
            tenant_id: letter.run.tenant_id.as_str(),
            run_id: letter.run.run_id.as_str(),
            dead_letter_no: letter.dead_letter_no,
            run_seq: letter.run_seq,
            attempts: letter.attempts,
            cause: cause(letter.cause),
            state: state(letter),
            error: letter.error.as_str(),
            dead_at: letter.dead_at.to_string(),
            resolution: letter.resolution.as_ref().map(resolution),
        }
    }
}

/// The name of a cause.
pub(super) fn cause(cause: DeadLetterCause) -> &'static str {
    match cause {
        DeadLetterCause::AttemptsExhausted => "attempts_exhausted",
        DeadLetterCause::ParkedByOperator => "parked_by_operator",
    }
}

/// The name of how far a dead letter is.
pub(super) fn state(letter: &DeadLetter) -> &'static str {
    match letter.resolution.as_ref().map(|resolution| resolution.kind) {
        None => "open",
        Some(ResolutionKind::Retried) => "retried",
        Some(ResolutionKind::Skipped) => "skipped",
    }
}
