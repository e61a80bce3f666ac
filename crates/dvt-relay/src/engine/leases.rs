//! What is told to the store about the runs that are held.

use std::sync::Arc;

use dvt_contracts::{Acknowledgement, FailOutcome, Lease, LeaseError, OutboxError, RunKey};
use tokio::time::Instant;

use super::Engine;
use crate::held::Held;
use crate::observer::RelayEvent;
use crate::report::RelayError;
use crate::work;

impl Engine {
    pub(super) fn acknowledge(&mut self) {
        if self.acknowledging || self.delivered.is_empty() {
            return;
        }
        self.acknowledging = true;
        let many = self.delivered.len().min(dvt_contracts::MAX_CALL_LEASES);
        let (acknowledgements, first_seqs) = self.delivered.drain(..many).unzip();
        let patience = self.patience(self.settings.lease);
        let store = Arc::clone(&self.store);
        let task = work::acknowledge(store, acknowledgements, first_seqs, patience);
        self.tasks.spawn(task);
    }

    /// Ends the work under leases that cannot have lasted, and lengthens the others when it is time for that.
    pub(super) fn keep_leases(&mut self, now: Instant) {
        let working = || self.held.iter().filter(|held| held.is_working());
        let ended: Vec<Lease> = working()
            .filter(|held| held.expires_at <= now)
            .map(|held| held.lease.clone())
            .collect();
        ended.iter().for_each(|lease| self.lose(lease));
        if now < self.next_upkeep {
            return;
        }
        self.next_upkeep = now + self.settings.lease / 3;
        let working = self.held.iter().filter(|held| held.is_working());
        let leases: Vec<Lease> = working.map(|held| held.lease.clone()).collect();
        if !leases.is_empty() {
            let task = work::extend(Arc::clone(&self.store), leases, self.settings.lease);
            self.tasks.spawn(task);
        }
    }

    /// When [`keep_leases`](Self::keep_leases) has something to do.
    pub(super) fn next_lease_work(&self) -> Instant {
        let working = self.held.iter().filter(|held| held.is_working());
        let ends = working.map(|held| held.expires_at);
        ends.fold(self.next_upkeep, Instant::min)
    }

    pub(super) fn acknowledged(
        &mut self,
        acknowledgements: &[Acknowledgement],
        first_seqs: &[u64],
        replies: Result<Vec<Result<(), LeaseError>>, OutboxError>,
    ) -> Result<(), RelayError> {
        let mut delivered = 0;
        let answered = replies.as_ref().map_or(&[][..], Vec::as_slice);
        let mut answered = answered.iter();
        for (acknowledgement, first_seq) in acknowledgements.iter().zip(first_seqs) {
            let run = &acknowledgement.lease.run;
            let through = acknowledgement.through;
            let done = match answered.next() {
                Some(Ok(())) => true,
                // Our own first try, its reply lost.
                Some(Err(LeaseError::StaleLease { delivered_seq, .. })) => {
                    *delivered_seq >= through
                }
                _ => false,
            };
            let held = self.let_go(&acknowledgement.lease);
            if done {
                delivered += through + 1 - first_seq;
            }
            let Some(held) = held else {
                continue;
            };
            if done {
                // More may be waiting behind a full claim, or have come meanwhile.
                let full = held.events >= self.settings.max_events_per_run as usize;
                if full || through < held.lease.last_seq || self.held.was_hinted(&held) {
                    self.look_now();
                } else {
                    self.narrowed.remove(run);
                }
            } else {
                self.lost(run);
            }
        }
        self.report.delivered += delivered;
        self.observer
            .observe(&RelayEvent::Delivered { events: delivered });
        self.passing(replies.map(drop))
    }

    pub(super) fn failed(
        &mut self,
        lease: &Lease,
        run_seq: u64,
        outcome: Result<FailOutcome, OutboxError>,
    ) -> Result<(), RelayError> {
        let run = &lease.run;
        let held = self.let_go(lease);
        match outcome {
            Ok(outcome) => {
                self.report.charged += 1;
                let before = held.map_or(0, |held| run_seq - held.first_seq);
                if before > 0 {
                    self.report.delivered += before;
                    self.observer
                        .observe(&RelayEvent::Delivered { events: before });
                }
                self.observer.observe(&RelayEvent::Charged {
                    run,
                    run_seq,
                    outcome,
                });
                if matches!(outcome, FailOutcome::Skipped { .. }) {
                    self.look_now();
                }
                Ok(())
            }
            Err(OutboxError::Lease(_)) => {
                self.lost(run);
                Ok(())
            }
            Err(error) => self.passing(Err(error)),
        }
    }

    pub(super) fn extended(
        &mut self,
        begun_at: Instant,
        leases: &[Lease],
        replies: Result<Vec<Result<Lease, LeaseError>>, OutboxError>,
    ) -> Result<(), RelayError> {
        let replies = match replies {
            Ok(replies) => replies,
            Err(error) => return self.passing(Err(error)),
        };
        for (lease, reply) in leases.iter().zip(replies) {
            let current = self.held.get_mut(&lease.run);
            let Some(held) =
                current.filter(|held| held.lease.token == lease.token && held.is_working())
            else {
                continue;
            };
            match reply {
                // Replies may overtake each other, and the later end is the true one.
                Ok(extended) if begun_at + self.settings.lease > held.expires_at => {
                    held.lease = extended;
                    held.expires_at = begun_at + self.settings.lease;
                }
                Ok(_) => {}
                Err(_) => self.lose(lease),
            }
        }
        Ok(())
    }

    /// Ends the work under a lease that is lost.
    pub(super) fn lose(&mut self, lease: &Lease) {
        self.breaker.forget(&lease.run);
        self.let_go(lease);
        self.lost(&lease.run);
    }

    pub(super) fn lost(&mut self, run: &RunKey) {
        self.report.leases_lost += 1;
        self.observer.observe(&RelayEvent::LeaseLost { run });
    }

    pub(super) fn let_go(&mut self, lease: &Lease) -> Option<Held> {
        self.held.remove(lease)
    }
}
