use std::collections::{HashMap, HashSet};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use dvt_contracts::{
    Acknowledgement, ClaimRequest, ClaimedRun, EventSink, FailOutcome, Lease, LeaseError,
    OutboxError, OutboxStorage, RunKey, SafeText, Stop, UNFINISHED_CLAIMS_ALONE,
};
use tokio::sync::Notify;
use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::{Instant, sleep_until};

use crate::breaker::{Breaker, Claiming, Doubt, Verdicts};
use crate::held::{Held, HeldRuns, Phase};
use crate::observer::{RelayEvent, RelayObserver};
use crate::report::{RelayError, RelayMode, RelayReport};
use crate::settings::RelaySettings;
use crate::work::{self, Answer, Done};

mod stopping;

/// So many runs are remembered as such; a relay that meets more begins anew.
const MAX_SINGLY: usize = 10_000;

/// The loop of a relay: starts tasks and takes in what they bring. It never waits for one of them.
#[derive(Debug)]
pub(crate) struct Engine {
    store: Arc<dyn OutboxStorage>,
    sink: Arc<dyn EventSink>,
    observer: Arc<dyn RelayObserver>,
    settings: RelaySettings,
    tasks: JoinSet<Done>,
    /// Which run a publishing task works on, in case it panics.
    publishing: HashMap<Id, RunKey>,
    held: HeldRuns,
    breaker: Breaker,
    /// Delivered, and not yet told to the store: told together.
    delivered: Vec<Acknowledgement>,
    acknowledging: bool,
    claiming: bool,
    /// The claim under way was made for this many runs.
    asked: usize,
    /// No look for work before then.
    next_look: Instant,
    pause: Duration,
    next_upkeep: Instant,
    /// Whether the last claim found nothing.
    empty: bool,
    /// One run is held that has to be alone.
    alone: bool,
    /// Runs on which a publish of several events ended without a word of how far it came: one event at a time goes out.
    singly: HashSet<RunKey>,
    /// The last reason of the sink for being down.
    down_because: SafeText,
    report: RelayReport,
}

impl Engine {
    pub(crate) fn new(
        store: Arc<dyn OutboxStorage>,
        sink: Arc<dyn EventSink>,
        observer: Arc<dyn RelayObserver>,
        settings: RelaySettings,
    ) -> Self {
        let now = Instant::now();
        Self {
            breaker: Breaker::new(settings.verdict_within, settings.probe_interval),
            next_upkeep: now + settings.lease / 3,
            pause: Duration::ZERO,
            next_look: now,
            store,
            sink,
            observer,
            settings,
            tasks: JoinSet::new(),
            publishing: HashMap::new(),
            held: HeldRuns::default(),
            delivered: Vec::new(),
            acknowledging: false,
            claiming: false,
            asked: 0,
            empty: false,
            alone: false,
            singly: HashSet::new(),
            down_because: SafeText::new(""),
            report: RelayReport::default(),
        }
    }

    pub(crate) async fn run(
        mut self,
        mode: RelayMode,
        wake: &Notify,
        stop: impl Future<Output = ()> + Send,
    ) -> Result<RelayReport, RelayError> {
        let mut stop = pin!(stop);
        let mut outcome = Ok(());
        while outcome.is_ok() {
            self.start_work();
            if mode == RelayMode::UntilEmpty && self.is_done() {
                break;
            }
            let next = self.next_moment();
            tokio::select! {
                biased;
                () = &mut stop => break,
                Some(done) = self.tasks.join_next_with_id() => {
                    outcome = self.take_in(done, mode);
                }
                () = wake.notified() => self.look_now(),
                () = sleep_until(next) => {}
            }
        }
        self.finish().await;
        outcome.map(|()| self.report)
    }

    /// Whether everything that was due is delivered.
    fn is_done(&self) -> bool {
        self.empty && self.held.is_empty() && self.tasks.is_empty()
    }

    fn look_now(&mut self) {
        self.pause = Duration::ZERO;
        self.next_look = Instant::now();
        self.empty = false;
    }

    /// When something is to be done even if no task ends.
    fn next_moment(&self) -> Instant {
        let now = Instant::now();
        let mut next = self.next_upkeep;
        if let Some(verdict) = self.breaker.next_verdict() {
            next = next.min(verdict);
        }
        if !self.claiming && !self.alone && self.room() > 0 {
            let look = match self.breaker.claiming(now, self.held.publishing()) {
                Claiming::NotBefore(until) => until.max(self.next_look),
                Claiming::Freely | Claiming::One => self.next_look,
            };
            next = next.min(look);
        }
        next
    }

    fn room(&self) -> usize {
        if self.held.bytes() >= self.settings.max_bytes_in_flight {
            return 0;
        }
        (self.settings.max_runs_in_flight as usize).saturating_sub(self.held.len())
    }

    /// Starts whatever it is time for.
    fn start_work(&mut self) {
        let now = Instant::now();
        if now >= self.next_upkeep {
            self.keep_leases(now);
        }
        let verdicts = self.breaker.judge(now, self.held.publishing());
        self.carry_out(verdicts);
        self.publish_waiting();
        self.acknowledge();
        self.claim(now);
    }

    fn claim(&mut self, now: Instant) {
        if self.claiming || self.alone || now < self.next_look {
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

    /// Sends the runs that wait: at once, or when all others are done if they have to be alone.
    fn publish_waiting(&mut self) {
        if self.alone && self.held.len() > 1 {
            return;
        }
        let waiting = self
            .held
            .iter()
            .filter(|held| matches!(held.phase, Phase::Waiting(_)));
        let runs: Vec<RunKey> = waiting.map(|held| held.lease.run.clone()).collect();
        for run in runs {
            let Some(held) = self.held.get_mut(&run) else {
                continue;
            };
            let Phase::Waiting(mut events) = std::mem::replace(&mut held.phase, Phase::Settling)
            else {
                continue;
            };
            if self.singly.contains(&run) {
                events.truncate(1);
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

    fn acknowledge(&mut self) {
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
    fn keep_leases(&mut self, now: Instant) {
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

    fn take_in(
        &mut self,
        done: Result<(Id, Done), JoinError>,
        mode: RelayMode,
    ) -> Result<(), RelayError> {
        match done {
            Ok((
                id,
                Done::Published {
                    run,
                    claim_no,
                    answer,
                },
            )) => {
                self.publishing.remove(&id);
                self.published(&run, claim_no, answer);
            }
            Ok((_, Done::Claimed { begun_at, claimed })) => self.claimed(begun_at, claimed)?,
            Ok((
                _,
                Done::Acknowledged {
                    acknowledgements,
                    replies,
                },
            )) => {
                self.acknowledging = false;
                self.acknowledged(&acknowledgements, replies)?;
            }
            Ok((
                _,
                Done::Failed {
                    run,
                    run_seq,
                    outcome,
                },
            )) => self.failed(&run, run_seq, outcome)?,
            Ok((_, Done::Released { runs, replies })) => {
                for run in &runs {
                    self.let_go(run);
                }
                self.passing(replies.map(drop))?;
            }
            Ok((
                _,
                Done::Extended {
                    begun_at,
                    leases,
                    replies,
                },
            )) => {
                self.extended(begun_at, &leases, replies)?;
            }
            Err(error) => self.panicked(&error),
        }
        if mode == RelayMode::UntilEmpty && !self.breaker.is_closed() {
            let reason = self.down_because.clone();
            return Err(RelayError::SinkDown { reason });
        }
        Ok(())
    }

    fn claimed(
        &mut self,
        begun_at: Instant,
        claimed: Result<Vec<ClaimedRun>, OutboxError>,
    ) -> Result<(), RelayError> {
        self.claiming = false;
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
        if claimed.len() < self.asked {
            self.wait_before_looking(now);
        } else {
            self.look_now();
        }
        for run in claimed {
            self.alone |= run.unfinished_claims >= UNFINISHED_CLAIMS_ALONE;
            self.held.take_in(run, begun_at + self.settings.lease);
        }
        Ok(())
    }

    fn wait_before_looking(&mut self, now: Instant) {
        let shortest = self.settings.poll_interval / 50;
        self.pause = (self.pause * 2).clamp(shortest, self.settings.poll_interval);
        self.next_look = now + self.pause;
    }

    fn published(&mut self, run: &RunKey, claim_no: u64, answer: Answer) {
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

    fn got_through(&mut self, run: &RunKey, now: Instant) {
        if !self.breaker.is_closed() {
            self.observer.observe(&RelayEvent::SinkUp);
            self.look_now();
        }
        let verdicts = self.breaker.success(run, now);
        self.carry_out(verdicts);
    }

    fn carry_out(&mut self, verdicts: Verdicts) {
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

    fn settle(&mut self, run: &RunKey) {
        if let Some(held) = self.held.get_mut(run) {
            held.phase = Phase::Settling;
        }
    }

    /// Charges the event, if it is known to be the one; else the run's events go out one by one until it is.
    fn charge_or_narrow(&mut self, lease: Lease, run_seq: u64, reason: SafeText, is_exact: bool) {
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

    fn charge(&mut self, lease: Lease, run_seq: u64, reason: SafeText) {
        let until = Instant::now() + self.settings.lease;
        let (store, policy) = (Arc::clone(&self.store), self.settings.retry);
        self.tasks
            .spawn(work::fail(store, lease, run_seq, reason, policy, until));
    }

    fn acknowledged(
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
                // More may be waiting behind a full claim.
                let full = held.events >= self.settings.max_events_per_run as usize;
                if full || through < held.lease.last_seq {
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

    fn failed(
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

    fn extended(
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

    /// A sink that panics on an event has refused it.
    fn panicked(&mut self, error: &JoinError) {
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

    /// Ends the work under a lease that is lost.
    fn lose(&mut self, run: &RunKey) {
        self.breaker.forget(run);
        self.let_go(run);
        self.lost(run);
    }

    fn lost(&mut self, run: &RunKey) {
        self.report.leases_lost += 1;
        self.observer.observe(&RelayEvent::LeaseLost { run });
    }

    fn let_go(&mut self, run: &RunKey) -> Option<Held> {
        let held = self.held.remove(run);
        if self.held.is_empty() {
            self.alone = false;
        }
        held
    }

    /// Goes on after an error that passes.
    fn passing(&self, outcome: Result<(), OutboxError>) -> Result<(), RelayError> {
        match outcome {
            Err(error) if work::is_passing(&error) => {
                self.observer
                    .observe(&RelayEvent::StoreFailed { error: &error });
                Ok(())
            }
            outcome => Ok(outcome?),
        }
    }
}
