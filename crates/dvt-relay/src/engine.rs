use std::collections::HashMap;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use dvt_contracts::{
    Acknowledgement, EventSink, Lease, OutboxError, OutboxStorage, RunKey, SafeText,
};
use tokio::sync::Notify;
use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::{Instant, sleep_until};

use crate::breaker::{Breaker, Claiming};
use crate::chance::Chance;
use crate::held::HeldRuns;
use crate::observer::{RelayEvent, RelayObserver};
use crate::report::{RelayError, RelayMode, RelayReport};
use crate::settings::RelaySettings;
use crate::work::{self, Done, Patience};

mod claiming;
mod leases;
mod outcomes;
mod stopping;

use self::claiming::Claims;

/// The loop goes round at least this often, and tells it.
const TURN: Duration = Duration::from_secs(1);
/// So many runs are remembered as such; a relay that meets more begins anew.
const MAX_NARROWED: usize = 10_000;

/// How many events of a run go out at once.
#[derive(Debug, Clone, Copy)]
struct Narrowed {
    limit: usize,
    /// Whether one of its events is suspected rather than the sink's pace: then it stays at one until the run is through.
    suspected: bool,
}

/// The loop of a relay: starts tasks and takes in what they bring. It never waits for one of them.
#[derive(Debug)]
pub(crate) struct Engine {
    store: Arc<dyn OutboxStorage>,
    sink: Arc<dyn EventSink>,
    observer: Arc<dyn RelayObserver>,
    settings: RelaySettings,
    chance: Chance,
    tasks: JoinSet<Done>,
    /// Which run a publishing task works on, in case it panics.
    publishing: HashMap<Id, RunKey>,
    held: HeldRuns,
    breaker: Breaker,
    /// Delivered, and not yet told to the store: told together. With the first event of each.
    delivered: Vec<(Acknowledgement, u64)>,
    acknowledging: bool,
    claims: Claims,
    /// No look for work before then.
    next_look: Instant,
    pause: Duration,
    next_upkeep: Instant,
    /// Whether the last claim found nothing.
    empty: bool,
    /// Runs on which a publish of several events ended without a word of how far it came: fewer at a time go out.
    narrowed: HashMap<RunKey, Narrowed>,
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
        chance: Chance,
    ) -> Self {
        let now = Instant::now();
        Self {
            breaker: Breaker::new(
                settings.verdict_within,
                settings.probe_interval,
                chance.clone(),
            ),
            next_upkeep: now + settings.lease / 3,
            pause: Duration::ZERO,
            next_look: now,
            store,
            sink,
            observer,
            settings,
            chance,
            tasks: JoinSet::new(),
            publishing: HashMap::new(),
            held: HeldRuns::default(),
            delivered: Vec::new(),
            acknowledging: false,
            claims: Claims::default(),
            empty: false,
            narrowed: HashMap::new(),
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
            self.observer.observe(&RelayEvent::Turned);
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
                    // Those that ended meanwhile, so that the store is told of them at once.
                    while outcome.is_ok() && let Some(done) = self.tasks.try_join_next_with_id() {
                        outcome = self.take_in(done, mode);
                    }
                }
                () = wake.notified() => {
                    self.held.hinted();
                    self.look_now();
                }
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

    /// The store is insisted on for so long.
    fn patience(&self, span: Duration) -> Patience {
        Patience {
            until: Instant::now() + span,
            chance: self.chance.clone(),
        }
    }

    /// Gives leases back; the runs are held until the store knows.
    fn release(&mut self, leases: Vec<Lease>, insist: Duration) {
        let patience = self.patience(insist);
        self.tasks
            .spawn(work::release(Arc::clone(&self.store), leases, patience));
    }

    /// When something is to be done even if no task ends.
    fn next_moment(&self) -> Instant {
        let now = Instant::now();
        let mut next = self.next_lease_work().min(now + TURN);
        if let Some(verdict) = self.breaker.next_verdict() {
            next = next.min(verdict);
        }
        if self.room() > 0 {
            let look = match self.breaker.claiming(now, self.held.publishing()) {
                Claiming::NotBefore(until) => until.max(self.next_look),
                Claiming::Freely | Claiming::One => self.next_look,
            };
            next = next.min(look);
        }
        next
    }

    /// Starts whatever it is time for.
    fn start_work(&mut self) {
        let now = Instant::now();
        self.keep_leases(now);
        let verdicts = self.breaker.judge(now, self.held.publishing());
        self.carry_out(verdicts);
        self.publish_waiting();
        self.acknowledge();
        self.claim(now);
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
            Ok((_, Done::Claimed { claim, claimed })) => self.claimed(&claim, claimed)?,
            Ok((
                _,
                Done::Acknowledged {
                    acknowledgements,
                    first_seqs,
                    replies,
                },
            )) => {
                self.acknowledging = false;
                self.acknowledged(&acknowledgements, &first_seqs, replies)?;
            }
            Ok((
                _,
                Done::Failed {
                    lease,
                    run_seq,
                    outcome,
                },
            )) => self.failed(&lease, run_seq, outcome)?,
            Ok((_, Done::Released { leases, replies })) => {
                for lease in &leases {
                    self.let_go(lease);
                }
                // They are due again only now: whoever looked meanwhile could not see them.
                self.look_now();
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
            Err(error) => self.panicked(&error)?,
        }
        if mode == RelayMode::UntilEmpty && !self.breaker.is_closed() {
            let reason = self.down_because.clone();
            return Err(RelayError::SinkDown { reason });
        }
        Ok(())
    }

    /// Goes on after an error that passes.
    fn passing(&mut self, outcome: Result<(), OutboxError>) -> Result<(), RelayError> {
        match outcome {
            Err(error) if work::is_passing(&error) => {
                self.observer
                    .observe(&RelayEvent::StoreFailed { error: &error });
                // Whatever it was about is still to be done.
                self.empty = false;
                Ok(())
            }
            outcome => Ok(outcome?),
        }
    }
}
