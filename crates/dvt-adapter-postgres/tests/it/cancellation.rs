//! Callers that go away at any moment.

use std::num::NonZeroU32;
use std::pin::{Pin, pin};
use std::time::Duration;

use dvt_adapter_postgres::PostgresStore;
use dvt_conformance::fixture::{by_ann, claim_all, event, metadata, note, run};
use dvt_contracts::{
    Acknowledgement, AppendRequest, BootstrapRequest, Checkpoint, ClaimRequest, DeadLetterQuery,
    ErrorClass, EventType, Expected, Lease, OutboxError, OutboxStorage as _, PendingQuery,
    ProviderRef, RetryPolicy, RunKey, RunQuery, RunState, RunStateStore as _,
    RunStateStoreExt as _, StoreError,
};
use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::interrupted::polled;
use crate::server::{connect, execute, random_name};
use crate::stage::{
    Dice, assert_consistent, bootstrap, hold, migrated, open, request, until, url_named, waiting,
};
use crate::trial::{Outcome, trials};

trials![ten_thousand_dropped_operations_leave_nothing_behind];

const TASKS: u64 = 8;
const OPERATIONS: usize = 10_000;
const SEED: u64 = 20_260_102;

/// How an operation failed.
type Failed = (ErrorClass, String);

fn store_error(error: StoreError) -> Failed {
    (error.class(), format!("{error:?}"))
}

fn outbox_error(error: OutboxError) -> Failed {
    (error.class(), format!("{error:?}"))
}

/// One who calls and may go away.
struct Caller {
    store: PostgresStore,
    shop: PgPool,
    runs: Vec<RunKey>,
    dice: Dice,
    leases: Vec<Lease>,
    number: u64,
}

impl Caller {
    fn requests(&mut self) -> Vec<AppendRequest> {
        let some = 1 + self.dice.roll(4) as usize;
        let mut runs = self.dice.some(&self.runs, some);
        if self.dice.roll(3) == 0 {
            runs.push(runs[0].clone());
        }
        let types = [EventType::RunStarted, EventType::RunFailed];
        let mut requests = Vec::new();
        for run in &runs {
            let key = format!("k{}", self.dice.roll(3_000));
            let event = match self.dice.roll(4) {
                0 => event(self.dice.one(&types).clone(), &key),
                _ => note(&key),
            };
            let expected = match self.dice.roll(4) {
                0 => Expected::At(self.dice.roll(50)),
                _ => Expected::Any,
            };
            requests.push(request(run, event).expecting(expected));
        }
        requests
    }

    /// One of the operations on runs, called in full.
    async fn runs(&mut self, which: u64) -> Result<(), Failed> {
        let store = self.store.clone();
        let run = self.dice.one(&self.runs).clone();
        let done = match which {
            0..5 => store.append_batch(&self.requests()).await.map(|_| ()),
            5 => {
                let name = format!("new-{}", self.dice.roll(200));
                let events = match self.dice.roll(2) {
                    0 => vec![],
                    _ => vec![event(EventType::RunCancelled, "end"), note("k1")],
                };
                let (run, metadata) = (dvt_conformance::fixture::run(&name), metadata());
                let request = BootstrapRequest {
                    run,
                    metadata,
                    events,
                };
                store.bootstrap_run(&request).await.map(|_| ())
            }
            6 => store.get_run(&run).await.map(|_| ()),
            7 => store
                .list_runs(&RunQuery::new(run.tenant_id))
                .await
                .map(|_| ()),
            8 => store.list_tenants(None, 10).await.map(|_| ()),
            9 => store.list_events(&run, 0, 50).await.map(|_| ()),
            10 => {
                let reference = ProviderRef::new("provider", None, "workflow", Some("1")).unwrap();
                store.save_provider_ref(&run, &reference).await
            }
            11 => store.load_checkpoint(&run).await.map(|_| ()),
            12 => {
                let checkpoint = Checkpoint::of(&RunState::new());
                store.save_checkpoint(&run, &checkpoint).await.map(|_| ())
            }
            _ => {
                let name = format!("new-{}", self.dice.roll(200));
                let run = dvt_conformance::fixture::run(&name);
                store.prune_run(&run).await.map(|_| ())
            }
        };
        done.map_err(store_error)
    }

    /// One of the operations on the outbox, called in full.
    async fn outbox(&mut self, which: u64) -> Result<(), Failed> {
        let store = self.store.clone();
        let run = self.dice.one(&self.runs).clone();
        let leases = match self.dice.roll(4) {
            0 => self.leases.clone(),
            _ => std::mem::take(&mut self.leases),
        };
        let number = 1 + self.dice.roll(5);
        let done = match which {
            0..3 => {
                let request = ClaimRequest {
                    max_runs: 1 + self.dice.roll(5) as u32,
                    max_events_per_run: 3,
                    lease: Duration::from_millis(1 + self.dice.roll(200)),
                    ..claim_all()
                };
                let claimed = store.claim(&request).await.map_err(outbox_error)?;
                self.leases = claimed.into_iter().map(|run| run.lease).collect();
                return Ok(());
            }
            3 => store
                .extend(&leases, Duration::from_millis(50))
                .await
                .map(|_| ()),
            4..6 => {
                let acknowledge = |lease: Lease| Acknowledgement {
                    through: lease.last_seq,
                    lease,
                };
                let all: Vec<_> = leases.into_iter().map(acknowledge).collect();
                store.mark_delivered(&all).await.map(|_| ())
            }
            6 => match leases.first() {
                Some(lease) => {
                    let attempts = NonZeroU32::new(2).unwrap();
                    let delay = Duration::from_millis(1);
                    let policy = RetryPolicy::new(attempts, delay, delay).unwrap();
                    let error = "receiver was down".into();
                    let failed = store.mark_failed(lease, lease.last_seq, &error, &policy);
                    failed.await.map(|_| ())
                }
                None => Ok(()),
            },
            7 => store.release(&leases).await.map(|_| ()),
            8 => store
                .list_pending(&PendingQuery::default())
                .await
                .map(|_| ()),
            9 => store
                .list_dead_letters(&DeadLetterQuery::default())
                .await
                .map(|_| ()),
            10 => store
                .retry_dead_letter(&run, number, &by_ann())
                .await
                .map(|_| ()),
            11 => store
                .skip_dead_letter(&run, number, &by_ann())
                .await
                .map(|_| ()),
            12 => store.park_run(&run, &by_ann()).await.map(|_| ()),
            13 => store.bind_destination(&"bus-1".parse().unwrap()).await,
            14 => {
                let (from, to) = ("bus-1".parse().unwrap(), "bus-2".parse().unwrap());
                store.retarget(&from, &to, &by_ann()).await
            }
            _ => store.stats().await.map(|_| ()),
        };
        done.map_err(outbox_error)
    }

    /// Runs a future to its end, or drops it at a poll or a moment that the dice choose.
    async fn perhaps<F: Future>(dice: &mut Dice, future: F) -> Option<F::Output> {
        let future = pin!(future);
        match dice.roll(3) {
            0 => polled(future, dice.roll(8) as usize).await,
            1 => {
                let micros = Duration::from_micros(dice.roll(4_000));
                timeout(micros, future).await.ok()
            }
            _ => Some(future.await),
        }
    }

    /// One operation. `None`: it was dropped.
    async fn operate(&mut self) -> Option<Result<(), Failed>> {
        self.number += 1;
        let mut dice = Dice(self.dice.roll(u64::MAX));
        if self.dice.roll(12) == 0 {
            return self.append_in(&mut dice).await;
        }
        let which = self.dice.roll(30);
        type Boxed<'a> = Pin<Box<dyn Future<Output = Result<(), Failed>> + Send + 'a>>;
        let work: Boxed<'_> = match which {
            0..14 => Box::pin(self.runs(which)),
            _ => Box::pin(self.outbox(which - 14)),
        };
        Self::perhaps(&mut dice, work).await
    }

    /// In a transaction of the caller's, which is not what this test is about: it begins and ends undisturbed.
    async fn append_in(&mut self, dice: &mut Dice) -> Option<Result<(), Failed>> {
        let mut requests = self.requests();
        requests.sort_by(|a, b| a.run.cmp(&b.run));
        let mut transaction = self.shop.begin().await.unwrap();
        let appended = self.store.append_in(&mut transaction, &requests);
        let appended = Self::perhaps(dice, appended).await?;
        match appended {
            Ok(_) => transaction.commit().await.unwrap(),
            Err(error) => return Some(Err(store_error(error))),
        }
        Some(Ok(()))
    }
}

async fn ten_thousand_dropped_operations_leave_nothing_behind() -> Outcome {
    println!("seed {SEED}");
    let (schema, ours, theirs) = (migrated().await, random_name(), random_name());
    let mut conn = connect().await;
    let store = open(
        schema
            .settings_by(&url_named(&ours))
            .with_max_connections(4)?,
    )
    .await;
    let names = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"];
    let runs = bootstrap(&store, &names).await;
    let pool = PgPoolOptions::new().max_connections(4);
    let shop = pool.connect(&url_named(&theirs)).await?;

    let mut callers = JoinSet::new();
    for task in 0..TASKS {
        let mut caller = Caller {
            store: store.clone(),
            shop: shop.clone(),
            runs: runs.clone(),
            dice: Dice(SEED + task),
            leases: Vec::new(),
            number: 0,
        };
        callers.spawn(async move {
            let mut dropped = 0;
            for _ in 0..OPERATIONS / TASKS as usize {
                match caller.operate().await {
                    None => dropped += 1,
                    Some(Ok(())) => {}
                    // What others did meanwhile; never what dropped callers left behind.
                    Some(Err((ErrorClass::Conflict | ErrorClass::NotFound, _))) => {}
                    Some(Err((ErrorClass::Caller, what))) if what.contains("SeqOutOfRange") => {}
                    Some(Err((class, what))) => panic!("{class:?}: {what}"),
                }
            }
            dropped
        });
    }
    let dropped: usize = callers.join_all().await.into_iter().sum();
    println!("{dropped} operations dropped");
    assert!(
        dropped > OPERATIONS / 4 && dropped < OPERATIONS * 3 / 4,
        "{dropped}"
    );

    // The server notices by itself that a caller is gone, but not at once.
    for name in [&ours, &theirs] {
        let sessions = format!("FROM pg_stat_activity WHERE application_name = '{name}'");
        until(
            &mut conn,
            &format!("SELECT count(*) {sessions} AND state <> 'idle'"),
            0,
        )
        .await;
        until(
            &mut conn,
            &format!("SELECT greatest(4, count(*)) {sessions}"),
            4,
        )
        .await;
        let locks = format!("SELECT count(*) FROM pg_locks WHERE pid IN (SELECT pid {sessions})");
        until(&mut conn, &locks, 0).await;
    }
    // All four connections can be had at once.
    let mut holder = hold(schema.name(), &runs[..4]).await;
    let mut four = JoinSet::new();
    for run in &runs[..4] {
        let (store, run) = (store.clone(), run.clone());
        four.spawn(async move {
            store
                .append_and_enqueue(request(&run, note("at last")))
                .await
        });
    }
    until(&mut conn, &waiting(&ours), 4).await;
    execute(&mut holder, "ROLLBACK").await;
    for appended in four.join_all().await {
        assert!(!appended?.events[0].is_duplicate());
    }
    for run in &runs {
        let (record, state) = (store.get_run(run).await?, store.load_state(run).await?);
        assert_eq!(
            (record.head, record.status),
            (state.last_seq(), state.status())
        );
    }
    assert!(store.get_run(&run("a")).await?.head > 0);
    shop.close().await;
    assert_consistent(&mut conn, schema.name()).await;
    Ok(())
}
