//! What the sink said, and what follows from it.

use std::sync::Arc;

use dvt_contracts::{Acknowledgement, Lease, RunKey, SafeText, Stop};
use tokio::task::JoinError;
use tokio::time::Instant;

use super::{Engine, MAX_NARROWED, Narrowed};
use crate::breaker::{Doubt, Verdicts};
use crate::held::Phase;
use crate::observer::RelayEvent;
use crate::report::RelayError;
use crate::work::{self, Answer};

impl Engine {
    pub(super) fn published(&mut self, run: &RunKey, claim_no: u64, answer: Answer) {
        let published = answer.published;
        let now = Instant::now();
        let Some(held) = self.held.get_mut(run) else {
            return;
        };
        let Phase::Publishing { begun_at, .. } = held.phase else {
            return;
        };
        if held.lease.claim_no != claim_no {
            return;
        }
        held.phase = Phase::Settling;
        let (stopped, retry_after, rejected) = match published.stop {
            None => (None, None, false),
            Some(Stop::Rejected { reason }) => (Some(reason), None, true),
            Some(Stop::Unknown { reason }) => (Some(reason), None, false),
            Some(Stop::Unavailable {
                reason,
                retry_after,
            }) => (Some(reason), retry_after, false),
        };
        self.observer.observe(&RelayEvent::Published {
            run,
            stored: published.stored,
            stopped: stopped.as_ref(),
            took: now - begun_at,
        });
        let seq = held.first_seq + published.stored as u64;
        let (lease, attempts, first_seq) = (held.lease.clone(), held.attempts, held.first_seq);
        match stopped {
            Some(reason) if rejected => {
                if published.stored > 0 {
                    self.got_through(run, now);
                }
                self.charge(lease, seq, reason);
            }
            Some(reason) if published.stored == 0 => {
                held.phase = Phase::Doubted;
                let doubt = Doubt {
                    lease,
                    seq,
                    reason,
                    retry_after,
                    is_exact: answer.in_time || held.sent == 1,
                    // Narrowing a run down began with a charge, too.
                    charged_before: attempts > 0 || self.is_suspected(run),
                    begun_at,
                    failed_at: now,
                };
                let verdicts = self.breaker.failure(doubt, self.held.publishing());
                self.carry_out(verdicts);
            }
            // What was stored is acknowledged; the event after it is offered again, first in its claim.
            stopped => {
                match stopped {
                    None => self.got_through(run, now),
                    Some(_) => {
                        self.up_again();
                        self.breaker.stopped_at(run, seq, begun_at);
                    }
                }
                let through = seq - 1;
                self.widen(run);
                self.delivered
                    .push((Acknowledgement { lease, through }, first_seq));
            }
        }
    }

    fn up_again(&mut self) {
        if !self.breaker.is_closed() {
            self.observer.observe(&RelayEvent::SinkUp);
            self.look_now();
        }
    }

    pub(super) fn got_through(&mut self, run: &RunKey, now: Instant) {
        self.up_again();
        let verdicts = self.breaker.success(run, now);
        self.carry_out(verdicts);
    }

    pub(super) fn carry_out(&mut self, verdicts: Verdicts) {
        for doubt in verdicts.charged {
            self.settle(&doubt.lease.run);
            self.charge_or_narrow(doubt.lease, doubt.seq, doubt.reason, doubt.is_exact);
        }
        let Some(last) = verdicts.acquitted.last() else {
            return;
        };
        self.down_because = last.reason.clone();
        self.observer.observe(&RelayEvent::SinkDown {
            reason: &self.down_because,
        });
        let mut leases = Vec::new();
        for doubt in verdicts.acquitted {
            if !doubt.is_exact {
                // Perhaps it was only too much at once.
                let sent = self.held.get(&doubt.lease.run).map_or(1, |held| held.sent);
                self.narrow(&doubt.lease.run, sent / 2, false);
            }
            self.settle(&doubt.lease.run);
            leases.push(doubt.lease);
        }
        self.release(leases, self.settings.lease);
    }

    pub(super) fn settle(&mut self, run: &RunKey) {
        if let Some(held) = self.held.get_mut(run) {
            held.phase = Phase::Settling;
        }
    }

    /// Charges the event, if it is known to be the one; else the run's events go out one by one until it is.
    pub(super) fn charge_or_narrow(
        &mut self,
        lease: Lease,
        run_seq: u64,
        reason: SafeText,
        is_exact: bool,
    ) {
        if is_exact {
            return self.charge(lease, run_seq, reason);
        }
        self.narrow(&lease.run, 1, true);
        self.release(vec![lease], self.settings.lease);
    }

    fn narrow(&mut self, run: &RunKey, limit: usize, suspected: bool) {
        if self.narrowed.len() >= MAX_NARROWED {
            self.narrowed.clear();
        }
        let suspected = suspected || self.is_suspected(run);
        let limit = limit.max(1);
        self.narrowed
            .insert(run.clone(), Narrowed { limit, suspected });
    }

    fn is_suspected(&self, run: &RunKey) -> bool {
        self.narrowed.get(run).is_some_and(|one| one.suspected)
    }

    /// After a publish that got through: twice as many the next time, unless it is one event that is looked for.
    fn widen(&mut self, run: &RunKey) {
        let Some(narrowed) = self.narrowed.get_mut(run) else {
            return;
        };
        if narrowed.suspected {
            return;
        }
        narrowed.limit *= 2;
        if narrowed.limit >= self.settings.max_events_per_run as usize {
            self.narrowed.remove(run);
        }
    }

    pub(super) fn charge(&mut self, lease: Lease, run_seq: u64, reason: SafeText) {
        let patience = self.patience(self.settings.lease);
        let (store, policy) = (Arc::clone(&self.store), self.settings.retry);
        self.tasks
            .spawn(work::fail(store, lease, run_seq, reason, policy, patience));
    }

    /// A sink that panics on an event has refused it. With a store that panics nothing can be done.
    pub(super) fn panicked(&mut self, error: &JoinError) -> Result<(), RelayError> {
        let run = self.publishing.remove(&error.id());
        if error.is_cancelled() {
            return Ok(());
        }
        let Some(run) = run else {
            return Err(RelayError::Panicked);
        };
        let Some(held) = self.held.get_mut(&run).filter(|held| held.is_publishing()) else {
            return Ok(());
        };
        held.phase = Phase::Settling;
        let (lease, seq, is_exact) = (held.lease.clone(), held.first_seq, held.sent == 1);
        let reason = SafeText::new("the sink panicked");
        self.charge_or_narrow(lease, seq, reason, is_exact);
        Ok(())
    }
}
