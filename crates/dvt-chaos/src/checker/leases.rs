//! I11 and I12: one lease at a time, and everything counted as it happened.

use std::collections::BTreeMap;

use super::Terms;
use super::facts::{Claim, Ending, EndingKind, EndingOutcome, Facts, RunFacts};
use super::invariant::Invariant::{I11, I12};
use super::verdict::Verdict;
use crate::history::{Final, FinalRun, OperatorAct};

/// Two clocks of one machine, one of which is corrected by the network's, run apart by less.
const SLACK_MICROS: u64 = 20_000;

pub(super) fn check(facts: &Facts, last: &Final, terms: Terms, verdict: &mut Verdict) {
    for (name, run) in &facts.runs {
        let endings = by_claim(run);
        fenced(name, run, &endings, verdict);
        for ((_, claim), (next_no, next)) in run.claims.iter().zip(run.claims.iter().skip(1)) {
            if claim.claimed.claim_no + 1 == *next_no {
                let endings = endings
                    .get(&claim.claimed.claim_no)
                    .map_or(&[][..], Vec::as_slice);
                follows(name, run, claim, endings, next, verdict);
            }
        }
    }
    for (name, claim_no) in &facts.twice_claimed {
        verdict.breach(I11, || {
            format!("{name}: claim {claim_no} was handed out twice")
        });
    }
    for (name, last) in last {
        dead_letters(name, facts.runs.get(name), last, terms, verdict);
    }
}

fn by_claim(run: &RunFacts) -> BTreeMap<u64, Vec<&Ending>> {
    let mut by_claim: BTreeMap<u64, Vec<&Ending>> = BTreeMap::new();
    for ending in &run.endings {
        by_claim.entry(ending.claim_no).or_default().push(ending);
    }
    by_claim
}

/// Whether the ending was accepted: it changed something, and the lease was over.
fn is_accepted(ending: &Ending) -> bool {
    matches!(
        ending.outcome,
        EndingOutcome::Done | EndingOutcome::Parked | EndingOutcome::Skipped
    )
}

fn is_extension(ending: &Ending) -> bool {
    matches!(ending.kind, EndingKind::Extend { .. })
}

/// No lease is accepted after a later claim was handed out, or after it has ended.
fn fenced(
    name: &str,
    run: &RunFacts,
    endings: &BTreeMap<u64, Vec<&Ending>>,
    verdict: &mut Verdict,
) {
    let mut later = run.claims.iter().rev().peekable();
    let mut handed_out = u64::MAX;
    for (claim_no, endings) in endings.iter().rev() {
        while let Some((_, claim)) = later.next_if(|(later_no, _)| *later_no > claim_no) {
            handed_out = handed_out.min(claim.end);
        }
        let over = endings
            .iter()
            .filter(|ending| is_accepted(ending) && !is_extension(ending));
        let over: Vec<_> = over.map(|ending| ending.end).collect();
        if over.len() > 1 {
            verdict.stale_marks_applied += 1;
            verdict.breach(I11, || {
                format!("{name}: claim {claim_no} was ended {} times", over.len())
            });
        }
        let ended = over.into_iter().min().unwrap_or(u64::MAX);
        for ending in endings {
            let is_stale = ending.begin > handed_out || ending.begin > ended;
            match ending.outcome {
                EndingOutcome::Stale => verdict.stale_marks_refused += 1,
                _ if is_stale && is_accepted(ending) => {
                    verdict.stale_marks_applied += 1;
                    verdict.breach(I11, || {
                        format!(
                            "{name}: {:?} was accepted under claim {claim_no}, which had ended",
                            ending.kind
                        )
                    });
                }
                _ => {}
            }
        }
    }
}

/// What the next claim may find.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Found {
    cursor: u64,
    attempts: u32,
    unfinished: u32,
}

/// What an ending leaves behind, if it took effect.
fn left_by(claim: &Claim, ending: &Ending) -> Option<Found> {
    let claimed = &claim.claimed;
    let cursor = claimed.first - 1;
    let found = match (ending.kind, &ending.outcome) {
        (EndingKind::Acknowledge(through), _) => Found {
            cursor: through,
            attempts: 0,
            unfinished: 1,
        },
        (EndingKind::Release, _) => Found {
            cursor,
            attempts: claimed.attempts,
            unfinished: 1,
        },
        (EndingKind::Fail(seq), EndingOutcome::Skipped) => Found {
            cursor: seq,
            attempts: 0,
            unfinished: 1,
        },
        (EndingKind::Fail(seq), _) => Found {
            cursor: seq - 1,
            attempts: if seq == claimed.first {
                claimed.attempts + 1
            } else {
                1
            },
            unfinished: 1,
        },
        (EndingKind::Extend { .. }, _) => return None,
    };
    Some(found)
}

fn follows(
    name: &str,
    run: &RunFacts,
    claim: &Claim,
    endings: &[&Ending],
    next: &Claim,
    verdict: &mut Verdict,
) {
    let claimed = &claim.claimed;
    let between = |begin: u64, end: u64| begin < next.end && end > claim.begin;
    let operator = run
        .operations
        .iter()
        .filter(|operation| between(operation.begin, operation.end));
    let operator: Vec<_> = operator.collect();
    let before_next = |ending: &&&Ending| ending.begin < next.end && !is_extension(ending);
    let accepted: Vec<_> = endings
        .iter()
        .filter(before_next)
        .filter(|ending| is_accepted(ending))
        .collect();
    let unknown: Vec<_> = endings
        .iter()
        .filter(before_next)
        .filter(|ending| ending.outcome == EndingOutcome::Unknown)
        .collect();
    let parked = operator
        .iter()
        .any(|operation| operation.act == OperatorAct::Park);
    if accepted.is_empty() && unknown.is_empty() && !parked {
        let mut until = claim.begin + claimed.lease_millis * 1_000;
        for extension in endings
            .iter()
            .filter(|ending| ending.outcome == EndingOutcome::Done && ending.end < next.begin)
        {
            if let EndingKind::Extend { millis } = extension.kind {
                until = until.max(extension.begin + millis * 1_000);
            }
        }
        if next.end + SLACK_MICROS < until {
            verdict.breach(I11, || {
                let early = (until - next.end) / 1_000;
                format!("{name}: claim {} was handed out {early} ms before the lease of the one before it ended", next.claimed.claim_no)
            });
        }
    }
    // An operator's act in between moves cursor and counts, at a moment that only the store knows.
    if !operator.is_empty() {
        return;
    }
    let nothing = Found {
        cursor: claimed.first - 1,
        attempts: claimed.attempts,
        unfinished: claimed.unfinished + 1,
    };
    let mut possible: Vec<Found> = match accepted.first() {
        Some(ending) => left_by(claim, ending).into_iter().collect(),
        None => std::iter::once(nothing)
            .chain(unknown.iter().filter_map(|ending| left_by(claim, ending)))
            .collect(),
    };
    // A failure whose answer was lost may have parked the run; then only an operator lets it go on.
    possible.dedup();
    verdict.claims_compared += 1;
    let found = Found {
        cursor: next.claimed.first - 1,
        attempts: next.claimed.attempts,
        unfinished: next.claimed.unfinished,
    };
    if possible.contains(&found) {
        return;
    }
    let what = || {
        format!(
            "{name}: claim {} found {found:?}, expected one of {possible:?}",
            next.claimed.claim_no
        )
    };
    match possible
        .iter()
        .any(|possible| possible.cursor == found.cursor)
    {
        true => verdict.breach(I12, what),
        false => {
            verdict.stale_marks_applied += 1;
            verdict.breach(I11, what);
        }
    }
}

/// A dead letter has as many attempts as the policy allows, and there are as many as were told of.
fn dead_letters(
    name: &str,
    run: Option<&RunFacts>,
    last: &FinalRun,
    terms: Terms,
    verdict: &mut Verdict,
) {
    let exhausted = last
        .dead_letters
        .iter()
        .filter(|dead| dead.cause == "AttemptsExhausted");
    let mut count = 0;
    for dead in exhausted {
        count += 1;
        if dead.attempts != terms.max_attempts {
            verdict.breach(I12, || {
                format!(
                    "{name}: event {} died after {} attempts, expected {}",
                    dead.seq, dead.attempts, terms.max_attempts
                )
            });
        }
    }
    let failures = run
        .map_or(&[][..], |run| run.endings.as_slice())
        .iter()
        .filter(|ending| matches!(ending.kind, EndingKind::Fail(_)));
    let (mut told, mut unknown) = (0, 0);
    for failure in failures {
        match failure.outcome {
            EndingOutcome::Parked | EndingOutcome::Skipped => told += 1,
            EndingOutcome::Unknown => unknown += 1,
            _ => {}
        }
    }
    if count < told || count > told + unknown {
        verdict.breach(I12, || {
            format!("{name}: {count} events died of their attempts, {told} were told of, and {unknown} answers were lost")
        });
    }
}
