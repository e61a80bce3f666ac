//! What the sink said, and what follows from it.

use std::sync::Arc;

use dvt_contracts::{Acknowledgement, Lease, RunKey, SafeText, Stop};
use tokio::task::JoinError;
use tokio::time::Instant;

use super::{Engine, MAX_SINGLY};
use crate::breaker::{Doubt, Verdicts};
use crate::held::Phase;
use crate::observer::RelayEvent;
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
        let (lease, attempts) = (held.lease.clone(), held.attempts);
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
                    charged_before: attempts > 0 || self.singly.contains(run),
                    begun_at,
                    failed_at: now,
                };
                let verdicts = self.breaker.failure(doubt, self.held.publishing());
                self.carry_out(verdicts);
            }
            // What was stored is acknowledged; the event after it is offered again, first in its claim.
            _ => {
                self.got_through(run, now);
                let through = seq - 1;
                self.delivered.push(Acknowledgement { lease, through });
            }
        }
    }

    pub(super) fn got_through(&mut self, run: &RunKey, now: Instant) {
        if !self.breaker.is_closed() {
            self.observer.observe(&RelayEvent::SinkUp);
            self.look_now();
        }
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
        let leases: Vec<Lease> = verdicts
            .acquitted
            .into_iter()
            .map(|doubt| doubt.lease)
            .collect();
        leases.iter().for_each(|lease| self.settle(&lease.run));
        let until = Instant::now() + self.settings.lease;
        self.tasks
            .spawn(work::release(Arc::clone(&self.store), leases, until));
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
        if self.singly.len() >= MAX_SINGLY {
            self.singly.clear();
        }
        self.singly.insert(lease.run.clone());
        let until = Instant::now() + self.settings.lease;
        self.tasks
            .spawn(work::release(Arc::clone(&self.store), vec![lease], until));
        self.look_now();
    }

    pub(super) fn charge(&mut self, lease: Lease, run_seq: u64, reason: SafeText) {
        let until = Instant::now() + self.settings.lease;
        let (store, policy) = (Arc::clone(&self.store), self.settings.retry);
        self.tasks
            .spawn(work::fail(store, lease, run_seq, reason, policy, until));
    }

    /// A sink that panics on an event has refused it.
    pub(super) fn panicked(&mut self, error: &JoinError) {
        let Some(run) = self.publishing.remove(&error.id()) else {
            return;
        };
        let Some(held) = self.held.get_mut(&run).filter(|held| held.is_publishing()) else {
            return;
        };
        held.phase = Phase::Settling;
        let (lease, seq, is_exact) = (held.lease.clone(), held.first_seq, held.sent == 1);
        let reason = SafeText::new("the sink panicked");
        self.charge_or_narrow(lease, seq, reason, is_exact);
    }
}
