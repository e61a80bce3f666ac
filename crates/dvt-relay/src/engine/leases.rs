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
        let acknowledgements: Vec<_> = self.delivered.drain(..many).collect();
        let until = Instant::now() + self.settings.lease;
        let task = work::acknowledge(Arc::clone(&self.store), acknowledgements, until);
        self.tasks.spawn(task);
    }

    /// Lengthens the leases that are worked under, and ends the work under those that cannot have lasted.
    pub(super) fn keep_leases(&mut self, now: Instant) {
        self.next_upkeep = now + self.settings.lease / 3;
        let working = || self.held.iter().filter(|held| held.is_working());
        let ended: Vec<RunKey> = working()
            .filter(|held| held.expires_at <= now)
            .map(|held| held.lease.run.clone())
            .collect();
        let leases: Vec<Lease> = working()
            .filter(|held| held.expires_at > now)
            .map(|held| held.lease.clone())
            .collect();
        ended.iter().for_each(|run| self.lose(run));
        if !leases.is_empty() {
            let task = work::extend(Arc::clone(&self.store), leases, self.settings.lease);
            self.tasks.spawn(task);
        }
    }

    pub(super) fn acknowledged(
        &mut self,
        acknowledgements: &[Acknowledgement],
        replies: Result<Vec<Result<(), LeaseError>>, OutboxError>,
    ) -> Result<(), RelayError> {
        let mut delivered = 0;
        let answered = replies.as_ref().map_or(&[][..], Vec::as_slice);
        let mut answered = answered.iter();
        for acknowledgement in acknowledgements {
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
            let Some(held) = self.let_go(run) else {
                continue;
            };
            if done {
                delivered += through + 1 - held.first_seq;
                // More may be waiting behind a full claim, or have come meanwhile.
                let full = held.events >= self.settings.max_events_per_run as usize;
                if full || through < held.lease.last_seq || self.held.was_hinted(&held) {
                    self.look_now();
                } else {
                    self.singly.remove(run);
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
        run: &RunKey,
        run_seq: u64,
        outcome: Result<FailOutcome, OutboxError>,
    ) -> Result<(), RelayError> {
        let held = self.let_go(run);
        match outcome {
            Ok(outcome) => {
                self.report.charged += 1;
                let before = held.map_or(0, |held| run_seq - held.first_seq);
                self.report.delivered += before;
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
                Ok(extended) => {
                    held.lease = extended;
                    held.expires_at = begun_at + self.settings.lease;
                }
                Err(_) => self.lose(&lease.run),
            }
        }
        Ok(())
    }

    /// Ends the work under a lease that is lost.
    pub(super) fn lose(&mut self, run: &RunKey) {
        self.breaker.forget(run);
        self.let_go(run);
        self.lost(run);
    }

    pub(super) fn lost(&mut self, run: &RunKey) {
        self.report.leases_lost += 1;
        self.observer.observe(&RelayEvent::LeaseLost { run });
    }

    pub(super) fn let_go(&mut self, run: &RunKey) -> Option<Held> {
        self.held.remove(run)
    }
}
