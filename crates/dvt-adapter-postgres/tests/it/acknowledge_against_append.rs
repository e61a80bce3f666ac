//! Everything that touches several heads at once, against everything else that does.

use std::collections::HashSet;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use dvt_adapter_postgres::{PostgresSettings, PostgresStore, migrate};
use dvt_conformance::fixture::{by_ann, claim_all, event, metadata, note, run};
use dvt_contracts::{
    Acknowledgement, AppendRequest, BootstrapRequest, Checkpoint, ClaimRequest, ClaimedRun,
    DeadLetterQuery, ErrorClass, EventType, Lease, LeaseError, OutboxError, OutboxStorage as _,
    PendingQuery, RetryPolicy, RunKey, RunStateStore as _, RunStateStoreExt as _, StoreError,
};
use sqlx::{Executor as _, PgConnection};
use tokio::sync::oneshot::{self, error::TryRecvError};
use tokio::task::JoinSet;

use crate::server::{TestDatabase, connect_to, execute};
use crate::stage::{
    Dice, assert_consistent, bootstrap, deadlocks, open, request, without_waiting_for_disks,
};
use crate::trial::{Outcome, trials};

trials![nobody_meets_an_error_and_only_a_claim_a_deadlock];

/// 5 s, or `DVT_SOAK_SECONDS`.
fn length() -> Duration {
    let seconds = std::env::var("DVT_SOAK_SECONDS").ok();
    Duration::from_secs(seconds.map_or(5, |seconds| seconds.parse().unwrap()))
}

/// One who works until the end.
#[derive(Clone)]
struct Worker {
    store: PostgresStore,
    runs: Vec<RunKey>,
    dice: Dice,
    end: Instant,
    appended: Arc<AtomicUsize>,
    acknowledged: Arc<AtomicUsize>,
}

impl Worker {
    fn goes_on(&self) -> bool {
        Instant::now() < self.end
    }

    /// 2 to 8 of the runs, in any order.
    fn some(&mut self) -> Vec<RunKey> {
        let some = 2 + self.dice.roll(7) as usize;
        self.dice.some(&self.runs, some)
    }

    async fn append(mut self) {
        for call in 0.. {
            if !self.goes_on() {
                return;
            }
            let key = format!("{}-{call}", self.dice.0);
            let runs = self.some();
            let requests: Vec<AppendRequest> =
                runs.iter().map(|run| request(run, note(&key))).collect();
            for reply in self.store.append_batch(&requests).await.unwrap() {
                reply.unwrap();
                self.appended.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    /// Claims many runs, and mostly acknowledges them in one call.
    async fn relay(mut self) {
        let error = "receiver was down".into();
        let policy = RetryPolicy::new(
            NonZeroU32::new(2).unwrap(),
            Duration::from_millis(1),
            Duration::from_millis(2),
        );
        while self.goes_on() {
            let request = ClaimRequest {
                max_runs: 1 + self.dice.roll(16) as u32,
                max_events_per_run: 1 + self.dice.roll(10) as u32,
                ..claim_all()
            };
            let claimed = self.store.claim(&request).await.unwrap();
            let claimed = self.dice.some(&claimed, claimed.len());
            let leases: Vec<Lease> = claimed.iter().map(|run| run.lease.clone()).collect();
            match self.dice.roll(10) {
                0 => allowed(self.store.release(&leases).await.unwrap()),
                1 => {
                    let by = Duration::from_secs(90);
                    allowed(self.store.extend(&leases, by).await.unwrap());
                    self.acknowledge(&claimed).await;
                }
                2 => {
                    for lease in &leases {
                        let last = lease.last_seq;
                        let policy = policy.as_ref().unwrap();
                        match self.store.mark_failed(lease, last, &error, policy).await {
                            Ok(_) | Err(OutboxError::Lease(LeaseError::StaleLease { .. })) => {}
                            Err(error) => panic!("{error:?}"),
                        }
                    }
                }
                _ => self.acknowledge(&claimed).await,
            }
        }
    }

    async fn acknowledge(&self, claimed: &[ClaimedRun]) {
        let acknowledgements: Vec<Acknowledgement> = claimed
            .iter()
            .map(|run| Acknowledgement {
                lease: run.lease.clone(),
                through: run.lease.last_seq,
            })
            .collect();
        allowed(self.store.mark_delivered(&acknowledgements).await.unwrap());
        self.acknowledged
            .fetch_add(claimed.len(), Ordering::Relaxed);
    }

    /// Parks runs, and lets them go on.
    async fn operate(mut self) {
        while self.goes_on() {
            let run = self.dice.one(&self.runs).clone();
            match self.store.park_run(&run, &by_ann()).await {
                Ok(_) | Err(OutboxError::NothingPending { .. }) => {}
                Err(error) => panic!("{error:?}"),
            }
            let open = DeadLetterQuery {
                open_only: true,
                ..DeadLetterQuery::default()
            };
            for letter in self.store.list_dead_letters(&open).await.unwrap() {
                let number = letter.dead_letter_no;
                let resolved = match self.dice.roll(2) {
                    0 => {
                        self.store
                            .retry_dead_letter(&letter.run, number, &by_ann())
                            .await
                    }
                    _ => {
                        self.store
                            .skip_dead_letter(&letter.run, number, &by_ann())
                            .await
                    }
                };
                resolved.unwrap();
            }
            self.store
                .list_pending(&PendingQuery::default())
                .await
                .unwrap();
            self.store.stats().await.unwrap();
        }
    }

    /// Makes runs that end, and prunes them once they are delivered.
    async fn finish(self) {
        for number in 0.. {
            if !self.goes_on() {
                return;
            }
            let request = BootstrapRequest {
                run: run(&format!("short-{number}")),
                metadata: metadata(),
                events: vec![event(EventType::RunStarted, "start")],
            };
            self.store.bootstrap_run(&request).await.unwrap();
            let state = self.store.load_state(&request.run).await.unwrap();
            let end = event(EventType::RunCompleted, "end");
            let end = AppendRequest::new(request.run.clone(), vec![end]);
            self.store.append_and_enqueue(end).await.unwrap();
            self.store
                .save_checkpoint(&request.run, &Checkpoint::of(&state))
                .await
                .unwrap();
            while self.goes_on() {
                match self.store.prune_run(&request.run).await {
                    Ok(_) => break,
                    Err(StoreError::NotPrunable { .. }) => {}
                    Err(error) => panic!("{error:?}"),
                }
            }
        }
    }
}

/// A lease may have ended because an operator parked the run; nothing else goes wrong.
fn allowed<T>(replies: Vec<Result<T, LeaseError>>) {
    for reply in replies {
        match reply {
            Ok(_) | Err(LeaseError::StaleLease { .. }) => {}
            Err(error) => panic!("{error:?}"),
        }
    }
}

/// Two sessions that each wait for what the other one holds: the witness sees it if there is one.
async fn lock_crosswise(url: &str) {
    let mut conn = connect_to(url).await;
    execute(
        &mut conn,
        "CREATE TABLE left_one (); CREATE TABLE right_one ()",
    )
    .await;
    let tables = [("left_one", "right_one"), ("right_one", "left_one")];
    let mut sessions = Vec::new();
    for (first, second) in tables {
        let mut conn = connect_to(url).await;
        execute(&mut conn, format!("BEGIN; LOCK {first}")).await;
        sessions.push((conn, second));
    }
    let mut waiters = JoinSet::new();
    for (mut conn, second) in sessions {
        let lock = sqlx::AssertSqlSafe(format!("LOCK {second}"));
        waiters.spawn(async move {
            let locked = conn.execute(lock).await.is_ok();
            (conn, locked)
        });
    }
    let done: Vec<(PgConnection, bool)> = waiters.join_all().await;
    assert_eq!(done.iter().filter(|(_, locked)| *locked).count(), 1);
}

/// Sessions that wait for each other, of those whose statement begins so: each a session and a start. A deadlock lasts for a
/// second at least until the server ends it, so it is seen many times.
async fn crossed(mut conn: PgConnection, text: &str, mut end: oneshot::Receiver<()>) -> usize {
    let in_a_circle = "
        WITH RECURSIVE waits AS (
            SELECT a.pid, unnest(pg_blocking_pids(a.pid)) AS by
            FROM pg_stat_activity AS a
            WHERE a.datname = current_database()
        ),
        chain AS (
            SELECT waits.pid, waits.by FROM waits
            UNION
            SELECT chain.pid, waits.by FROM chain JOIN waits ON waits.pid = chain.by
        )
        SELECT a.pid, a.query_start::text
        FROM chain JOIN pg_stat_activity AS a ON a.pid = chain.pid
        WHERE chain.by = chain.pid AND starts_with(a.query, $1)";
    let mut seen = HashSet::new();
    while end.try_recv() == Err(TryRecvError::Empty) {
        let sessions = sqlx::query_as(in_a_circle).bind(text);
        let sessions: Vec<(i32, String)> = sessions.fetch_all(&mut conn).await.unwrap();
        seen.extend(sessions);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    seen.len()
}

/// `SKIP LOCKED` waits for nobody, but for a moment in which PostgreSQL does (ADR 0030), and whoever waits may meet a deadlock.
/// One without a claim would be ours.
async fn nobody_meets_an_error_and_only_a_claim_a_deadlock() -> Outcome {
    let database = TestDatabase::create("UTF8").await;
    let mut conn = connect_to(&database.url()).await;
    // Whoever looks for deadlocks sees one.
    let watch = async |text| {
        let (stop, stopped) = oneshot::channel();
        let watcher = connect_to(&database.url()).await;
        (stop, tokio::spawn(crossed(watcher, text, stopped)))
    };
    let (stop, watching) = watch("LOCK").await;
    lock_crosswise(&database.url()).await;
    drop(stop);
    assert_eq!(watching.await?, 2);
    let before = deadlocks(&mut conn).await;
    assert_eq!(before, 1);
    let mut url = database.url().parse()?;
    without_waiting_for_disks(&mut url);
    let settings = PostgresSettings::from_url(url.as_str())?;
    migrate(&settings, &mut |_| ()).await?;
    let store = open(settings.clone()).await;
    let names: Vec<String> = (0..24).map(|number| format!("run-{number}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let runs = bootstrap(&store, &names).await;

    let claim = include_str!("../../queries/claim.sql").lines().next();
    let (stop, watching) = watch(claim.unwrap()).await;
    let (appended, acknowledged) = (Arc::default(), Arc::default());
    let end = Instant::now() + length();
    let worker = |seed| Worker {
        store: store.clone(),
        runs: runs.clone(),
        dice: Dice(seed),
        end,
        appended: Arc::clone(&appended),
        acknowledged: Arc::clone(&acknowledged),
    };
    let mut workers = JoinSet::new();
    for seed in 0..3 {
        workers.spawn(worker(seed).append());
    }
    for seed in 3..6 {
        workers.spawn(worker(seed).relay());
    }
    workers.spawn(worker(6).operate());
    workers.spawn(worker(7).finish());
    workers.join_all().await;
    drop(stop);
    let claims = watching.await?;

    let (appended, acknowledged) = (
        appended.load(Ordering::Relaxed),
        acknowledged.load(Ordering::Relaxed),
    );
    println!("{appended} events appended, {acknowledged} leases acknowledged");
    assert!(
        appended > 500 && acknowledged > 100,
        "{appended}, {acknowledged}"
    );
    let mut heads = 0;
    for run in &runs {
        heads += store.get_run(run).await?.head;
    }
    assert_eq!(heads, appended as u64);
    assert_consistent(&mut conn, settings.schema()).await;
    let closed = store.clone();
    drop(store);
    closed.close();
    assert_eq!(
        closed.stats().await.unwrap_err().class(),
        ErrorClass::Caller
    );
    let deadlocks = deadlocks(&mut conn).await - before;
    println!("{deadlocks} deadlocks, {claims} claims in them");
    assert!(deadlocks <= claims as i64, "{deadlocks}, {claims}");
    Ok(())
}
