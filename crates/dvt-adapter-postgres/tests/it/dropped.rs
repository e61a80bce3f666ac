//! Every public future, dropped at every await.

use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use dvt_adapter_postgres::{ClockShift, Doctor, PostgresStore, status};
use dvt_conformance::faults::{after_polls, campaigns, dropped_everywhere};
use dvt_conformance::{Harness, async_trait};
use dvt_contracts::{BoxError, Store};
use sqlx::AssertSqlSafe;
use tokio::time::timeout;

use crate::interrupted::polled;
use crate::server::{TestSchema, connect, random_name};
use crate::stage::{migrated, number, open, until, url_named};
use crate::trial::{Outcome, trials};

trials![
    calls_may_be_dropped_at_every_await,
    beginnings_may_be_dropped_at_every_await,
    nothing_is_lost_under_faults,
];

/// Stores with one connection each: a call that kept it would end the test.
struct Alone;

struct Space {
    schema: TestSchema,
    clock: ClockShift,
    /// What their sessions are called.
    name: String,
}

/// All sessions of this name are at rest, in no transaction, and hold no lock.
async fn at_rest(name: &str) {
    let mut conn = connect().await;
    let sessions = format!("FROM pg_stat_activity WHERE application_name = '{name}'");
    let busy = format!("SELECT count(*) {sessions} AND state <> 'idle'");
    until(&mut conn, &busy, 0).await;
    let locks = format!("SELECT count(*) FROM pg_locks WHERE pid IN (SELECT pid {sessions})");
    until(&mut conn, &locks, 0).await;
}

#[async_trait]
impl Harness for Alone {
    type Space = Space;

    async fn create(&self) -> Result<Space, BoxError> {
        Ok(Space {
            schema: migrated().await,
            clock: ClockShift::default(),
            name: random_name(),
        })
    }

    async fn open(&self, space: &Space) -> Result<Arc<dyn Store>, BoxError> {
        let settings = space.schema.settings_by(&url_named(&space.name));
        let settings = settings
            .with_clock_shift(space.clock.clone())
            .with_max_connections(1)?;
        Ok(Arc::new(open(settings).await))
    }

    async fn shift_clock(&self, space: &Space, seconds: i64) -> Result<(), BoxError> {
        space.clock.advance(seconds);
        Ok(())
    }

    /// The server does what it was sent, whoever went away.
    async fn settle(&self, space: &Space) -> Result<(), BoxError> {
        at_rest(&space.name).await;
        Ok(())
    }
}

/// CASES D 32.
async fn calls_may_be_dropped_at_every_await() -> Outcome {
    let drops = dropped_everywhere(Arc::new(Alone)).await;
    println!("{}", drops.map_err(|failure| failure.to_string())?);
    Ok(())
}

async fn nothing_is_lost_under_faults() -> Outcome {
    let played = campaigns(Arc::new(Alone), 2, |faulty| Arc::new(faulty)).await;
    played.map_err(|failure| failure.to_string())?;
    Ok(())
}

/// Connecting, looking at the schema, examining it, listening: no session outlives its caller.
async fn beginnings_may_be_dropped_at_every_await() -> Outcome {
    let (schema, name, ears) = (migrated().await, random_name(), random_name());
    let settings = || schema.settings_by(&url_named(&name));
    let (mut drops, mut goes_on, mut hears) = (0, true, false);
    for polls in 0.. {
        if !goes_on {
            break;
        }
        let connected = after_polls(polls, PostgresStore::connect(settings())).await;
        goes_on = connected.is_none();
        drops += usize::from(goes_on);
        drop(connected.transpose()?);
        gone(&name, &format!("connect, {polls} polls")).await;

        let states = after_polls(polls, async { status(&settings()).await }).await;
        drops += usize::from(states.is_none());
        goes_on |= states.transpose()?.is_none();
        gone(&name, &format!("status, {polls} polls")).await;

        let doctor = Doctor::new(settings());
        let examined = after_polls(polls, doctor.examine()).await;
        drops += usize::from(examined.is_none());
        goes_on |= examined.transpose()?.is_none();
        gone(&name, &format!("examine, {polls} polls")).await;

        if !hears {
            let store = open(schema.settings_by(&url_named(&ears))).await;
            let listener = store.hint_listener();
            drop(store);
            let listening = pin!(listener.run(|| ()));
            let ended = timeout(Duration::from_secs(1), polled(listening, polls)).await;
            // From then on it waits for hints, which nobody gives.
            hears = ended.is_err();
            assert!(!matches!(ended, Ok(Some(_))));
            drops += 1;
        }
    }
    // A listener says goodbye in a task, which waits for some seconds if its session was in the middle of something.
    gone(&ears, "listen").await;
    println!("{drops} dropped");
    assert!(hears);
    assert!(drops > 20, "{drops}");
    Ok(())
}

/// No session of this name is left.
async fn gone(name: &str, after: &str) {
    let mut conn = connect().await;
    let of_name = format!("FROM pg_stat_activity WHERE application_name = '{name}'");
    let begun = Instant::now();
    while number(&mut conn, &format!("SELECT count(*) {of_name}")).await > 0 {
        let states =
            format!("SELECT string_agg(concat_ws(' ', state, wait_event, query), '; ') {of_name}");
        let states: Option<String> = sqlx::query_scalar(AssertSqlSafe(states))
            .fetch_one(&mut conn)
            .await
            .unwrap();
        assert!(
            begun.elapsed() < Duration::from_secs(30),
            "{after}: {states:?}"
        );
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}
