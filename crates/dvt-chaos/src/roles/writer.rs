use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use dvt_chaos::proxy::Dice;
use dvt_contracts::{
    AppendError, AppendOutcome, AppendRequest, Appended, BootstrapRequest, ConflictPolicy,
    ErrorClass, Event, Expected, Store, StoreError,
};
use dvt_layers::GroupCommit;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::order::{Order, Orders};
use super::recorded::text;
use super::workload::{Step, Workload};
use super::{LANES, Station};
use crate::BoxError;
use crate::fingerprint;
use crate::history::{Answer, Append, Call, NewEvent, Reply, StoredEvent};
use crate::pen::Pen;

/// What was begun is settled by then, or the store is stuck.
const SETTLED_WITHIN: Duration = Duration::from_secs(30);

/// Appends in several lanes at once, as fast as its share of the pace.
pub(crate) async fn run(
    station: &Station,
    store: Arc<dyn Store>,
    pen: Pen,
    orders: Orders,
) -> Result<(), BoxError> {
    #[cfg(feature = "planted")]
    let store = crate::planted::writer_store(station, store).await?;
    // Every second writer sends what its lanes have together.
    let store: Arc<dyn Store> = match station.number % 2 {
        0 => store,
        _ => Arc::new(GroupCommit::with_flights(
            store,
            NonZeroUsize::MIN.saturating_add(1),
        )),
    };
    let mut lanes = JoinSet::new();
    let share = station.pace as f64 / (station.writers * LANES) as f64;
    for number in 0..LANES {
        let pen = pen.lane(&number.to_string());
        let workload = Workload::new(pen.actor(), station.seed);
        let dice = Dice::of(station.seed, &[station.number, station.incarnation, number]);
        let lane = Lane {
            store: Arc::clone(&store),
            pen,
            workload,
            orders: orders.clone(),
            dice,
        };
        lanes.spawn(lane.work(share));
    }
    orders.reach(Order::Settle).await;
    let all = async {
        while let Some(ended) = lanes.join_next().await {
            ended??;
        }
        Ok::<_, BoxError>(())
    };
    timeout(SETTLED_WITHIN, all)
        .await
        .map_err(|_| "appends were not settled in time")??;
    println!("settled");
    orders.reach(Order::Stop).await;
    Ok(())
}

/// One caller of the store.
#[derive(Debug)]
struct Lane {
    store: Arc<dyn Store>,
    pen: Pen,
    workload: Workload,
    orders: Orders,
    dice: Dice,
}

impl Lane {
    /// `share` is how many events it appends in a second. What an outage cost is caught up on.
    async fn work(mut self, share: f64) -> Result<(), BoxError> {
        let begun = Instant::now();
        let mut appended = 0;
        while self.orders.now() == Order::Work {
            let due = begun + Duration::from_secs_f64(f64::from(appended) / share);
            tokio::select! {
                () = sleep_until(due) => {}
                () = self.orders.reach(Order::Settle) => break,
            }
            match self.workload.next()? {
                Step::Bootstrap(requests) => {
                    for request in requests {
                        self.bootstrap(&request).await;
                    }
                }
                Step::Append(requests) => {
                    appended += requests
                        .iter()
                        .map(|request| request.events.len() as u32)
                        .sum::<u32>();
                    self.append(&requests).await;
                }
            }
        }
        Ok(())
    }

    /// Until it is known what became of it.
    async fn bootstrap(&mut self, request: &BootstrapRequest) {
        let run = request.run.to_string();
        for attempt in 0_u32.. {
            let call = Call::Bootstrap {
                run: run.clone(),
                events: new_events(&request.events),
            };
            let begun = self.pen.begin(call);
            let outcome = self.store.bootstrap_run(request).await;
            let reply = match &outcome {
                Ok(outcome) => Reply::Bootstrapped(stored(&outcome.events)),
                Err(error) => failed(error),
            };
            self.pen.end(begun, reply);
            match outcome {
                Err(error) if is_passing(&error) => self.pause(attempt).await,
                _ => return,
            }
        }
    }

    async fn append(&mut self, requests: &[AppendRequest]) {
        for attempt in 0_u32.. {
            let begun = self
                .pen
                .begin(Call::Append(requests.iter().map(told).collect()));
            let replies = self.store.append_batch(requests).await;
            let reply = match &replies {
                Ok(replies) => Reply::Appended(replies.iter().map(answer).collect()),
                Err(error) => failed(error),
            };
            self.pen.end(begun, reply);
            match replies {
                Err(error) if is_passing(&error) => self.pause(attempt).await,
                Err(_) => return,
                Ok(replies) => {
                    for (request, reply) in requests.iter().zip(&replies) {
                        if let Ok(outcome) = reply {
                            self.workload.answered(request, outcome.head);
                        }
                    }
                    return;
                }
            }
        }
    }

    /// Full jitter below 20, 40, 80 … 320 ms.
    async fn pause(&mut self, attempt: u32) {
        sleep(Duration::from_millis(self.dice.roll(20 << attempt.min(4)))).await;
    }
}

fn is_passing(error: &StoreError) -> bool {
    matches!(error.class(), ErrorClass::Transient | ErrorClass::Unknown)
}

fn failed(error: &StoreError) -> Reply {
    match error.class() {
        ErrorClass::Unknown => Reply::Unknown(text(error)),
        class => Reply::Refused(format!("{class:?}: {}", text(error))),
    }
}

fn told(request: &AppendRequest) -> Append {
    Append {
        run: request.run.to_string(),
        expected: match request.expected {
            Expected::Any => None,
            Expected::At(head) => Some(head),
        },
        rejects: request.on_conflict == ConflictPolicy::Reject,
        events: new_events(&request.events),
    }
}

fn new_events(events: &[Event]) -> Vec<NewEvent> {
    let told = events.iter().map(|event| {
        let (key, event_type) = (
            event.idempotency_key().as_str(),
            event.event_type().as_str(),
        );
        NewEvent(
            key.to_owned(),
            fingerprint::of(event),
            event_type.to_owned(),
        )
    });
    told.collect()
}

fn answer(reply: &Result<AppendOutcome, AppendError>) -> Answer {
    match reply {
        Ok(outcome) => Answer::Stored {
            head: outcome.head,
            events: stored(&outcome.events),
        },
        Err(error) => Answer::Refused(format!("{:?}", error.class())),
    }
}

fn stored(events: &[Appended]) -> Vec<StoredEvent> {
    let stored = events.iter().map(|event| {
        StoredEvent(
            event.stored.run_seq,
            fingerprint::of(&event.stored.event),
            event.is_duplicate(),
        )
    });
    stored.collect()
}
