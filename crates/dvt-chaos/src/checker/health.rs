//! I14 and I15: what is left when all is over, and how soon it was.

use super::Terms;
use super::facts::Facts;
use super::invariant::Invariant::{I14, I15};
use super::verdict::Verdict;
use crate::history::Final;

/// A process may grow by this much beside its fifth: buffers of one more connection, and what an allocator keeps.
const MEMORY_SLACK_KIB: u64 = 8 * 1_024;

pub(super) fn check(facts: &Facts, last: &Final, terms: Terms, verdict: &mut Verdict) {
    match &facts.health {
        None => verdict.breach(I14, || "nobody looked what was left".to_owned()),
        Some(health) => {
            if health.idle_in_transaction > 0 {
                verdict.breach(I14, || {
                    format!(
                        "{} sessions are idle in a transaction",
                        health.idle_in_transaction
                    )
                });
            }
            if health.advisory_locks > 0 {
                verdict.breach(I14, || {
                    format!("{} advisory locks are held", health.advisory_locks)
                });
            }
            if health.connections > health.max_connections {
                verdict.breach(I14, || {
                    format!(
                        "{} connections are open, {} is what all pools may have",
                        health.connections, health.max_connections
                    )
                });
            }
            for (who, (early, late)) in &health.memory {
                if *late > early + early / 5 + MEMORY_SLACK_KIB {
                    verdict.breach(I14, || {
                        format!("{who}: grew from {early} KiB to {late} KiB")
                    });
                }
            }
        }
    }
    let pending = last
        .values()
        .filter(|run| !run.pruned && run.delivered_seq < run.last_seq);
    let pending: u64 = pending.map(|run| run.last_seq - run.delivered_seq).sum();
    if pending > 0 {
        verdict.breach(I15, || format!("{pending} events are still pending"));
    }
    match (facts.healed, facts.drained) {
        (Some(healed), Some((drained, 0))) => {
            let took = u128::from(drained.saturating_sub(healed));
            if took > terms.drained_within.as_micros() {
                verdict.breach(I15, || {
                    format!(
                        "it took {} s to deliver all, expected {:?} at most",
                        took / 1_000_000,
                        terms.drained_within
                    )
                });
            }
        }
        (_, Some((_, pending))) => {
            verdict.breach(I15, || {
                format!(
                    "{pending} events were pending {:?} after the last fault",
                    terms.drained_within
                )
            });
        }
        _ => verdict.breach(I15, || "nobody waited until all was delivered".to_owned()),
    }
}
