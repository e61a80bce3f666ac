//! Migrating where the caller, the session or the process ends in the middle.

use std::io::{BufRead as _, BufReader};
use std::pin::{Pin, pin};
use std::process::Child;
use std::task::Poll;

use dvt_adapter_postgres::{Migration, PostgresSettings, migrate, status};
use sqlx::PgConnection;

use crate::catalogue;
use crate::child::{self, Task};
use crate::migrations::quietly;
use crate::server::{TestSchema, connect, random_name, url_with};
use crate::trial::{Outcome, trials};

trials![
    a_future_dropped_at_any_poll_leaves_nothing_behind,
    a_session_killed_at_any_moment_leaves_nothing_behind,
    a_process_killed_at_any_moment_leaves_nothing_behind,
    a_process_killed_after_any_report_keeps_what_it_reported,
];

/// Migrating again completes the schema, and the lock is free.
async fn completes(conn: &mut PgConnection, schema: &TestSchema) -> Outcome {
    quietly(&schema.settings()).await?;
    let states = status(&schema.settings()).await?;
    assert!(
        states.iter().all(|state| state.applied_at.is_some()),
        "{states:?}"
    );
    // The server notices the end of a session by itself, but not at once.
    let mut looks = 0;
    while catalogue::locks(conn, schema.name()).await > 0 {
        looks += 1;
        assert!(looks < 1_000, "the lock of {} is still held", schema.name());
        sqlx::query("SELECT pg_sleep(0.01)")
            .execute(&mut *conn)
            .await?;
    }
    let objects = catalogue::objects(conn, schema.name()).await;
    assert_eq!(objects.matches("\ntrigger ").count(), 2, "{objects}");
    Ok(())
}

/// Polls a future at most so many times.
pub(crate) async fn polled<F: Future>(
    mut future: Pin<&mut F>,
    mut polls: usize,
) -> Option<F::Output> {
    std::future::poll_fn(|context| {
        if polls == 0 {
            return Poll::Ready(None);
        }
        polls -= 1;
        future.as_mut().poll(context).map(Some)
    })
    .await
}

async fn a_future_dropped_at_any_poll_leaves_nothing_behind() -> Outcome {
    let mut conn = connect().await;
    let mut unfinished = 0;
    for polls in 0.. {
        let schema = TestSchema::create();
        let settings = schema.settings();
        let finished = {
            let migration = pin!(quietly(&settings));
            polled(migration, polls).await
        };
        completes(&mut conn, &schema).await?;
        schema.drop_by(&mut conn).await;
        match finished {
            None => unfinished += 1,
            Some(report) => {
                report?;
                break;
            }
        }
    }
    assert!(
        unfinished > 2 * Migration::embedded().len(),
        "only {unfinished} moments"
    );
    Ok(())
}

/// Settings whose session can be found.
fn named(schema: &TestSchema, name: &str) -> PostgresSettings {
    schema.settings_by(&url_with(|url| {
        url.query_pairs_mut().append_pair("application_name", name);
    }))
}

/// Whether a session of that name runs, or last ran, such a statement.
pub(crate) async fn is_seen(conn: &mut PgConnection, name: &str, statement: &str) -> bool {
    let seen = "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE application_name = $1 AND query LIKE $2)";
    sqlx::query_scalar(seen)
        .bind(name)
        .bind(statement)
        .fetch_one(conn)
        .await
        .unwrap()
}

/// Goes on some round trips after the session has appeared, or when `ended` says that it never will.
async fn after(
    conn: &mut PgConnection,
    name: &str,
    round_trips: u32,
    ended: &mut (dyn FnMut() -> bool + Send),
) {
    while !ended() && !is_seen(conn, name, "%").await {}
    for _ in 0..round_trips {
        sqlx::query("SELECT 1").execute(&mut *conn).await.unwrap();
    }
}

/// Moments that lie closer together at the beginning.
fn moments() -> impl Iterator<Item = u32> {
    (0..40).map(|at| at * (at + 4) / 4)
}

async fn a_session_killed_at_any_moment_leaves_nothing_behind() -> Outcome {
    let mut conn = connect().await;
    let mut failed = 0;
    for round_trips in moments() {
        let (schema, name) = (TestSchema::create(), random_name());
        let settings = named(&schema, &name);
        let migration = tokio::spawn(async move { quietly(&settings).await.is_ok() });

        after(&mut conn, &name, round_trips, &mut || {
            migration.is_finished()
        })
        .await;
        sqlx::query(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = $1",
        )
        .bind(&name)
        .execute(&mut conn)
        .await?;
        failed += usize::from(!migration.await?);

        completes(&mut conn, &schema).await?;
        schema.drop_by(&mut conn).await;
    }
    assert!(
        failed >= 5,
        "only {failed} sessions were killed before their end"
    );
    Ok(())
}

/// A child's task: it migrates, and says of each migration that it is there.
pub(crate) async fn migrate_and_tell(settings: &PostgresSettings) -> Outcome {
    migrate(settings, &mut |step| println!("{}", step.migration)).await?;
    Ok(())
}

fn spawn(schema: &TestSchema, name: &str) -> Child {
    let url = url_with(|url| {
        url.query_pairs_mut().append_pair("application_name", name);
    });
    child::spawn(Task::Migrate, &url, schema)
}

async fn a_process_killed_at_any_moment_leaves_nothing_behind() -> Outcome {
    let mut conn = connect().await;
    let mut killed = 0;
    for round_trips in moments().step_by(2) {
        let (schema, name) = (TestSchema::create(), random_name());
        let mut child = spawn(&schema, &name);

        after(&mut conn, &name, round_trips, &mut || {
            !matches!(child.try_wait(), Ok(None))
        })
        .await;
        child.kill().unwrap();
        killed += usize::from(!child.wait().unwrap().success());

        completes(&mut conn, &schema).await?;
        schema.drop_by(&mut conn).await;
    }
    assert!(
        killed >= 3,
        "only {killed} processes were killed before their end"
    );
    Ok(())
}

async fn a_process_killed_after_any_report_keeps_what_it_reported() -> Outcome {
    let mut conn = connect().await;
    for (reports, expected) in Migration::embedded().iter().enumerate() {
        let (schema, name) = (TestSchema::create(), random_name());
        let mut child = spawn(&schema, &name);
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();

        let last = lines.nth(reports).unwrap().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();

        assert_eq!(last, expected.to_string());
        let states = status(&schema.settings()).await?;
        assert!(
            states[reports].applied_at.is_some(),
            "{last} was reported: {states:?}"
        );
        completes(&mut conn, &schema).await?;
    }
    Ok(())
}
