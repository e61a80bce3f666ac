//! Taking runs in and sending them out.

use std::sync::Arc;

use dvt_contracts::{ClaimRequest, ClaimedRun, OutboxError};
use tokio::time::Instant;

use super::Engine;
use crate::breaker::Claiming;
use crate::held::Phase;
use crate::observer::RelayEvent;
use crate::report::RelayError;
use crate::work;

impl Engine {
    pub(super) fn claim(&mut self, now: Instant) {
        if self.claiming || self.held.has_suspect() || now < self.next_look {
            return;
        }
        let room = match self.breaker.claiming(now, self.held.publishing()) {
            Claiming::Freely => self.room(),
            Claiming::One => self.room().min(1),
            Claiming::NotBefore(_) => 0,
        };
        if room == 0 {
            return;
        }
        let left = self.settings.max_bytes_in_flight - self.held.bytes();
        let request = ClaimRequest {
            max_runs: u32::try_from(room).unwrap_or(u32::MAX),
            max_events_per_run: self.settings.max_events_per_run,
            max_bytes: left,
            lease: self.settings.lease,
        };
        self.claiming = true;
        self.asked = room;
        self.tasks
            .spawn(work::claim(Arc::clone(&self.store), request));
    }

    /// Sends the runs that wait: at once, but a suspect only while no other run is on its way, and nothing beside it.
    pub(super) fn publish_waiting(&mut self) {
        for run in self.held.waiting() {
            if self.held.must_wait(&run) {
                continue;
            }
            let Some(held) = self.held.get_mut(&run) else {
                continue;
            };
            let Phase::Waiting(mut events) = std::mem::replace(&mut held.phase, Phase::Settling)
            else {
                continue;
            };
            if let Some(narrowed) = self.narrowed.get(&run) {
                events.truncate(narrowed.limit);
            }
            held.sent = events.len();
            let lease = held.lease.clone();
            let within = self.settings.publish_timeout;
            let task = work::publish(Arc::clone(&self.sink), lease, events, within);
            let abort = self.tasks.spawn(task);
            self.publishing.insert(abort.id(), run);
            held.phase = Phase::Publishing {
                begun_at: Instant::now(),
                abort,
            };
            self.breaker.sent();
        }
    }

    pub(super) fn claimed(
        &mut self,
        begun_at: Instant,
        claimed: Result<Vec<ClaimedRun>, OutboxError>,
    ) -> Result<(), RelayError> {
        self.claiming = false;
        let look_again = std::mem::take(&mut self.look_again);
        let now = Instant::now();
        let claimed = match claimed {
            Ok(claimed) => claimed,
            Err(error) => {
                self.wait_before_looking(now);
                return self.passing(Err(error));
            }
        };
        self.observer.observe(&RelayEvent::Claimed {
            runs: claimed.len(),
            events: claimed.iter().map(|run| run.events.len()).sum(),
            took: now - begun_at,
        });
        self.empty = claimed.is_empty();
        // Few are no sign that there are no more: bytes and suspects end a claim, too.
        if claimed.is_empty() && !look_again {
            self.wait_before_looking(now);
        } else {
            self.look_now();
        }
        let expires_at = begun_at + self.settings.lease;
        for claimed in claimed {
            let run = &claimed.lease.run;
            // The store gives it out again, so the lease before has ended, whatever its answer will say.
            if let Some(before) = self.held.get(run) {
                let (lease, is_working) = (before.lease.clone(), before.is_working());
                match is_working {
                    true => self.lose(&lease),
                    false => drop(self.let_go(&lease)),
                }
            }
            // The answer took longer than the lease, or this process stood still.
            if expires_at <= now {
                self.lost(run);
                continue;
            }
            self.held.take_in(claimed, expires_at);
        }
        if look_again {
            self.held.hinted();
        }
        Ok(())
    }

    pub(super) fn wait_before_looking(&mut self, now: Instant) {
        let shortest = self.settings.poll_interval / 50;
        self.pause = (self.pause * 2).clamp(shortest, self.settings.poll_interval);
        self.next_look = now + self.pause;
    }
}
