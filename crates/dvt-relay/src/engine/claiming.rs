//! Taking runs in and sending them out.

use std::sync::Arc;
use std::time::Duration;

use dvt_contracts::{ClaimRequest, ClaimedRun, MAX_PAYLOAD_BYTES, OutboxError};
use tokio::time::Instant;

use super::Engine;
use crate::breaker::Claiming;
use crate::held::Phase;
use crate::observer::RelayEvent;
use crate::report::RelayError;
use crate::work::{self, Claim};

/// So many claims may be under way at once, where one would leave the store or this process idle.
const CLAIMS_AT_ONCE: usize = 2;
/// A claim asks for this share of the runs that may be held: the next ones are looked for while these go out.
const SHARE: usize = 2 * CLAIMS_AT_ONCE;

/// The claims under way.
#[derive(Debug, Default)]
pub(super) struct Claims {
    count: usize,
    /// What they may bring.
    runs: usize,
    bytes: u64,
    /// The last one brought all that it asked for.
    plenty: bool,
    /// Two have been under way at once since none was: each may have kept runs from the other.
    shared: bool,
    /// Counts the reasons to look that a claim which began before cannot know.
    reasons: u64,
}

impl Claims {
    fn begin(&mut self, request: ClaimRequest, begun_at: Instant) -> Claim {
        self.shared = self.count > 0;
        self.count += 1;
        self.runs += request.max_runs as usize;
        self.bytes += request.max_bytes;
        Claim {
            request,
            begun_at,
            reasons: self.reasons,
        }
    }

    fn ended(&mut self, claim: &Claim) {
        self.count -= 1;
        self.runs -= claim.request.max_runs as usize;
        self.bytes -= claim.request.max_bytes;
    }
}

impl Engine {
    /// There may be work that the claims under way do not see.
    pub(super) fn look_now(&mut self) {
        self.claims.reasons += 1;
        self.look();
    }

    fn look(&mut self) {
        self.pause = Duration::ZERO;
        self.next_look = Instant::now();
        self.empty = false;
    }

    /// How many runs the next claim may ask for; none as long as there must be no further claim.
    pub(super) fn room(&self) -> usize {
        let at_once = match self.claims.plenty && self.breaker.is_closed() {
            true => CLAIMS_AT_ONCE,
            false => 1,
        };
        let bytes = self.held.bytes() + self.claims.bytes;
        if self.claims.count >= at_once
            || self.held.has_suspect()
            || bytes >= self.settings.max_bytes_in_flight
        {
            return 0;
        }
        let most = self.settings.max_runs_in_flight as usize;
        let taken = self.held.len() + self.claims.runs;
        most.saturating_sub(taken).min(most.div_ceil(SHARE))
    }

    pub(super) fn claim(&mut self, now: Instant) {
        if now < self.next_look {
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
        let left = self.settings.max_bytes_in_flight - self.held.bytes() - self.claims.bytes;
        let request = ClaimRequest {
            max_runs: u32::try_from(room).unwrap_or(u32::MAX),
            max_events_per_run: self.settings.max_events_per_run,
            max_bytes: match self.claims.plenty {
                true => left.div_ceil(CLAIMS_AT_ONCE as u64),
                false => left,
            },
            lease: self.settings.lease,
        };
        let claim = self.claims.begin(request, now);
        self.tasks
            .spawn(work::claim(Arc::clone(&self.store), claim));
    }

    /// Sends the runs that wait: at once, but a suspect only while no other run is on its way, and nothing beside it.
    pub(super) fn publish_waiting(&mut self) {
        let coming = self.claims.count > 0;
        for run in self.held.waiting() {
            if self.held.must_wait(&run, coming) {
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
        claim: &Claim,
        claimed: Result<Vec<ClaimedRun>, OutboxError>,
    ) -> Result<(), RelayError> {
        self.claims.ended(claim);
        let (begun_at, max_bytes) = (claim.begun_at, claim.request.max_bytes);
        let now = Instant::now();
        let claimed = match claimed {
            Ok(claimed) => claimed,
            Err(error) => {
                self.claims.plenty = false;
                self.wait_before_looking(now);
                return self.passing(Err(error));
            }
        };
        self.observer.observe(&RelayEvent::Claimed {
            runs: claimed.len(),
            events: claimed.iter().map(|run| run.events.len()).sum(),
            took: now - begun_at,
        });
        let missed_reason = claim.reasons < self.claims.reasons;
        self.claims.plenty = claimed.len() >= claim.request.max_runs as usize;
        self.empty = claimed.is_empty() && !missed_reason && !self.claims.shared;
        // Few are no sign that there are no more: bytes and suspects end a claim, too.
        if self.empty {
            self.wait_before_looking(now);
        } else {
            self.look();
        }
        let expires_at = begun_at + self.settings.lease;
        let mut bytes = 0;
        for claimed in claimed {
            let run = &claimed.lease.run;
            let size = payload_bytes(&claimed);
            bytes += size;
            if let Some(before) = self.held.get(run) {
                // A later claim of the run was faster.
                if before.lease.claim_no > claimed.lease.claim_no {
                    self.lost(run);
                    continue;
                }
                // The store gives it out again, so the lease before has ended, whatever its answer will say.
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
            self.held.take_in(claimed, size, expires_at);
        }
        // More may be there than it brought: something came meanwhile, or its bytes may have ended before its runs did.
        if missed_reason || bytes + MAX_PAYLOAD_BYTES as u64 > max_bytes {
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

fn payload_bytes(claimed: &ClaimedRun) -> u64 {
    let sizes = claimed
        .events
        .iter()
        .map(|event| event.event.payload().size() as u64);
    sizes.sum()
}
