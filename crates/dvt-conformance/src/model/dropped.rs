use std::fmt;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use dvt_contracts::{
    AppendRequest, ClaimRequest, DeadLetterQuery, Event, PendingQuery, RunKey, RunQuery, Store,
};
use tokio::time::sleep;

use super::call::{Call, Grant};
use super::observe::Observed;
use super::reference::Model;
use super::snap::{Grid, STEP};
use crate::audit::audit;
use crate::cx::{Cx, request};
use crate::failure::{Failure, check};
use crate::fixture::{claim_all, notes, run};
use crate::harness::Harness;
use crate::race::after_polls;

mod victim;

use self::victim::VICTIMS;

/// What was dropped.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Drops {
    /// Calls that were dropped before their end.
    pub dropped: u64,
    /// How many of those are done nevertheless.
    pub done: u64,
    /// How many were appends of several requests, of which some are done and some are not.
    pub partly: u64,
    /// The most awaits that a call of each method came to, by the method.
    pub awaits: Vec<(&'static str, usize)>,
}

impl fmt::Display for Drops {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            dropped,
            done,
            partly,
            awaits,
        } = self;
        write!(
            f,
            "{dropped} calls dropped, of which {done} are done and {partly} partly; awaits:"
        )?;
        for (method, awaits) in awaits {
            write!(f, " {method} {awaits}")?;
        }
        Ok(())
    }
}

/// How a call is dropped.
#[derive(Debug, Clone, Copy)]
struct Way {
    /// On a handle that was just opened.
    is_cold: bool,
    /// Not at once, but after what it waits for has gone on.
    lingers: bool,
}

impl Way {
    const ALL: [Self; 2] = [
        Self {
            is_cold: false,
            lingers: false,
        },
        Self {
            is_cold: true,
            lingers: true,
        },
    ];
}

/// How long the one who drops a call looks on.
const LINGER: Duration = Duration::from_millis(2);

/// A call that comes to more awaits than this never ends.
const MOST_AWAITS: usize = 500;

/// Drops a call of every method of both ports at each of its awaits: polls it n times and drops it, for n = 0, 1, 2 … until it
/// ends before: at once on a handle that was used before, and after a moment on one that was just opened. Each time:
///
/// - what can be read afterwards is what the reference model says of a call that was made, or of one that was not. Of an append
///   of several requests each may have been made;
/// - the same call again is answered as the model says, and ends in one effect;
/// - leases end by their time, and everything that is pending is delivered then;
/// - the handle works on.
///
/// What the store's sessions are up to is for [`Harness::settle`] to see.
///
/// # Errors
/// The first call that was done by half, or left something behind.
pub async fn dropped_everywhere<H: Harness>(harness: Arc<H>) -> Result<Drops, Failure> {
    let mut drops = Drops::default();
    for victim in VICTIMS {
        let mut most = 0;
        for way in Way::ALL {
            let mut stage = Stage::new(&harness).await?;
            for awaits in 0.. {
                check!(
                    awaits <= MOST_AWAITS,
                    "{} does not end: {awaits} awaits",
                    victim.name
                );
                if victim.only_once {
                    stage = Stage::new(&harness).await?;
                }
                let number = drops.dropped;
                let ended = stage.play(victim, number, awaits, way, &mut drops).await;
                let ended = ended.map_err(|failure| {
                    let name = victim.name;
                    Failure::new(format!(
                        "{name} dropped after {awaits} polls, {way:?}: {failure}"
                    ))
                })?;
                most = most.max(awaits);
                if ended {
                    break;
                }
            }
            audit(&*stage.cx.store).await?;
        }
        drops.awaits.push((victim.name, most));
    }
    Ok(drops)
}

/// What was made of a call.
enum Made {
    Not,
    Partly,
    Whole,
}

/// A store and what it must be like.
struct Stage {
    cx: Cx,
    model: Model,
    observed: Observed,
    /// Another handle, to look on.
    beside: Arc<dyn Store>,
}

impl Stage {
    async fn new<H: Harness>(harness: &Arc<H>) -> Result<Self, Failure> {
        let cx = Cx::create(Arc::clone(harness)).await?;
        let beside = cx.reopen().await?;
        let mut model = Model::new(cx.judges());
        // The first bootstrap tells where the store's clock stands.
        let first = request(&run("first"), Vec::new());
        let start = cx.store.bootstrap_run(&first).await?.created_at;
        model.predict(&Call::Bootstrap(first), &[]);
        Ok(Self {
            cx,
            model,
            observed: Observed::new(Grid { start }),
            beside,
        })
    }

    /// Makes a call in full, and holds the reply against the model.
    async fn call(&mut self, call: Call) -> Result<(), Failure> {
        let store = Arc::clone(&self.cx.store);
        let (found, claimed) = self.observed.perform(&self.cx, &*store, &call).await?;
        let expected = self.model.predict(&call, &claimed);
        check!(
            found == expected,
            "{call:?}\nexpected: {expected}\nfound:    {found}"
        );
        Ok(())
    }

    /// The same call again. A prune may be finished only now.
    async fn repeat(&mut self, store: &dyn Store, call: &Call) -> Result<(), Failure> {
        let (found, claimed) = self.observed.perform(&self.cx, store, call).await?;
        let expected = self.model.predict(call, &claimed);
        let finishes = match call {
            Call::Prune(_) => expected.replace("removed: 0", "removed: 2"),
            _ => expected.clone(),
        };
        check!(
            found == expected || found == finishes,
            "the same call again\nexpected: {expected}\nfound:    {found}"
        );
        Ok(())
    }

    /// A run with these events, none of them claimed.
    async fn make(&mut self, run: &RunKey, events: Vec<Event>) -> Result<(), Failure> {
        self.call(Call::Bootstrap(request(run, events))).await
    }

    /// A run with two events, all of it claimed.
    async fn claimed(&mut self, run: &RunKey, events: Vec<Event>) -> Result<Grant, Failure> {
        self.make(run, events).await?;
        self.call(claim()).await?;
        let grant = self.observed.grants.last().cloned();
        grant.ok_or_else(|| Failure::new("nothing was claimed"))
    }

    /// A run with two events, of which the first is a dead letter.
    async fn dead(&mut self, run: &RunKey) -> Result<(), Failure> {
        let grant = self.claimed(run, notes(1, 2)).await?;
        let (error, policy) = ("down".into(), crate::fixture::policy(1));
        self.call(Call::MarkFailed(grant, 1, error, policy)).await
    }

    /// Whether the call came to its end.
    async fn play(
        &mut self,
        victim: &victim::Victim,
        number: u64,
        polls: usize,
        way: Way,
        drops: &mut Drops,
    ) -> Result<bool, Failure> {
        let run = run(&format!("run {number}"));
        let call = victim.call(self, &run).await?;
        let store = match way.is_cold {
            true => self.cx.reopen().await?,
            false => Arc::clone(&self.cx.store),
        };
        let ended = {
            let mut performed = pin!(self.observed.perform(&self.cx, &*store, &call));
            let ended = after_polls(polls, performed.as_mut()).await.transpose()?;
            if ended.is_none() && way.lingers {
                sleep(LINGER).await;
            }
            ended
        };
        let has_ended = ended.is_some();
        match ended {
            Some((found, claimed)) => {
                let expected = self.model.predict(&call, &claimed);
                check!(
                    found == expected,
                    "the reply\nexpected: {expected}\nfound:    {found}"
                );
            }
            None => {
                drops.dropped += 1;
                self.cx.settle().await?;
                match self.recognise(&call, &run).await? {
                    Made::Not => {}
                    Made::Partly => drops.partly += 1,
                    Made::Whole => drops.done += 1,
                }
                self.repeat(&*store, &call).await?;
            }
        }
        let reads = self.read(&run).await?;
        differs(&self.model, &reads)?;
        self.deliver().await?;
        Ok(has_ended)
    }

    /// Finds out whether the call was made. The model is then what the store is.
    async fn recognise(&mut self, call: &Call, run: &RunKey) -> Result<Made, Failure> {
        let reads = self.read(run).await?;
        let mut differences = Vec::new();
        for made in outcomes(call) {
            let mut model = self.model.clone();
            for call in &made {
                model.predict(call, std::slice::from_ref(run));
            }
            match differs(&model, &reads) {
                Ok(()) => {
                    self.model = model;
                    return Ok(match (made.len(), call) {
                        (0, _) => Made::Not,
                        (some, Call::Append(all)) if some < all.len() => Made::Partly,
                        _ => Made::Whole,
                    });
                }
                Err(difference) => differences.push(difference.to_string()),
            }
        }
        Err(Failure::new(format!(
            "neither made nor not made:\n{}",
            differences.join("\n")
        )))
    }

    /// All that can be read about the run, with the replies.
    async fn read(&mut self, run: &RunKey) -> Result<Vec<(Call, String)>, Failure> {
        let store = Arc::clone(&self.beside);
        let reads = [
            Call::GetRun(run.clone()),
            Call::ListEvents(run.clone(), 0, 1_000),
            Call::LoadCheckpoint(run.clone()),
            Call::ListRuns(RunQuery::new(run.tenant_id.clone())),
            Call::ListPending(PendingQuery::default()),
            Call::ListDeadLetters(DeadLetterQuery::default()),
            Call::Stats,
        ];
        let mut replies = Vec::new();
        for read in reads {
            let (reply, _) = self.observed.perform(&self.cx, &*store, &read).await?;
            replies.push((read, reply));
        }
        Ok(replies)
    }

    /// Lets all leases and waits end, and delivers everything.
    async fn deliver(&mut self) -> Result<(), Failure> {
        self.call(Call::Advance(10)).await?;
        let before = self.observed.grants.len();
        self.call(claim()).await?;
        let claimed = self.observed.grants.iter().skip(before);
        let marks = claimed.map(|grant| (grant.clone(), grant.last)).collect();
        self.call(Call::MarkDelivered(marks)).await?;
        for pending in self.cx.pending().await? {
            check!(
                matches!(pending.state, dvt_contracts::PendingState::Parked { .. }),
                "undelivered: {pending:?}"
            );
        }
        Ok(())
    }
}

/// The first reply that is not the model's.
fn differs(model: &Model, reads: &[(Call, String)]) -> Result<(), Failure> {
    let mut model = model.clone();
    for (read, found) in reads {
        let expected = model.predict(read, &[]);
        check!(
            *found == expected,
            "{read:?}\nexpected: {expected}\nfound:    {found}"
        );
    }
    Ok(())
}

/// A claim of all that is due. One run is.
fn claim() -> Call {
    Call::Claim(ClaimRequest {
        lease: STEP,
        ..claim_all()
    })
}

/// What may have been made of a call that was dropped: nothing, or it. Of several requests each, in their order.
fn outcomes(call: &Call) -> Vec<Vec<Call>> {
    let Call::Append(requests) = call else {
        return vec![Vec::new(), vec![call.clone()]];
    };
    let alone = |request: &AppendRequest| Call::Append(vec![request.clone()]);
    (0..1_usize << requests.len())
        .map(|chosen| {
            let all = requests.iter().enumerate();
            let made = all.filter(|(at, _)| chosen & (1 << at) != 0);
            made.map(|(_, request)| alone(request)).collect()
        })
        .collect()
}
