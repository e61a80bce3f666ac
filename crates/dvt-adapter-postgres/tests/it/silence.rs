//! A peer that says nothing any more, and closes nothing either.

use std::time::{Duration, Instant};

use dvt_adapter_postgres::{PostgresSettings, PostgresStore};
use dvt_conformance::fixture::{claim_all, note};
use dvt_contracts::{
    Disposition, ErrorClass, OutboxStorage as _, RunStateStore as _, RunStateStoreExt as _,
};
use tokio::time::timeout;

use crate::line::{Line, Wire};
use crate::server::{TestSchema, connect, random_name};
use crate::stage::{assert_consistent, bootstrap, migrated, open, request, until};
use crate::trial::{Outcome, trials};

trials![
    a_lost_reply_is_unknown_and_the_repetition_a_duplicate,
    silence_lasts_until_the_deadline_and_leaves_the_pool_whole,
];

const DEADLINE: Duration = Duration::from_millis(1_000);
const STATEMENT: Duration = Duration::from_millis(700);
/// What a busy machine may add.
const SLACK: Duration = Duration::from_secs(2);

fn settings(schema: &TestSchema, url: &str) -> PostgresSettings {
    let settings = schema.settings_by(url).with_timeouts(DEADLINE, STATEMENT);
    settings.unwrap().with_max_connections(3).unwrap()
}

async fn a_lost_reply_is_unknown_and_the_repetition_a_duplicate() -> Outcome {
    let schema = migrated().await;
    let line = Line::open(&random_name()).await;
    let store = open(settings(&schema, &line.url)).await;
    let runs = bootstrap(&store, &["run"]).await;
    // From now on the statement is prepared, and goes out in one piece.
    store
        .append_and_enqueue(request(&runs[0], note("k0")))
        .await?;
    line.becomes(Wire::Mute);

    let begun = Instant::now();
    let call = request(&runs[0], note("k1"));
    let error = store.append_and_enqueue(call.clone()).await.unwrap_err();

    assert_eq!(error.class(), ErrorClass::Unknown, "{error:?}");
    assert!(begun.elapsed() < DEADLINE + SLACK, "{:?}", begun.elapsed());
    line.becomes(Wire::Open);
    let again = store.append_and_enqueue(call).await?;
    assert_eq!((again.head, again.events[0].stored.run_seq), (2, 2));
    assert_eq!(
        again.events[0].disposition,
        Disposition::Duplicate { same_content: true }
    );
    Ok(())
}

/// Three operations at once, one for each connection.
async fn three(store: &PostgresStore, key: &str) -> Vec<Option<ErrorClass>> {
    let (run, all) = (dvt_conformance::fixture::run("run"), claim_all());
    let (read, write, claim) = tokio::join!(
        store.get_run(&run),
        store.append_and_enqueue(request(&run, note(key))),
        store.claim(&all),
    );
    let (read, write) = (read.err(), write.err());
    let claim = claim.err().map(|error| error.class());
    let classes = [read, write].map(|error| error.map(|error| error.class()));
    classes.into_iter().chain([claim]).collect()
}

async fn silence_lasts_until_the_deadline_and_leaves_the_pool_whole() -> Outcome {
    let (schema, name) = (migrated().await, random_name());
    let mut line = Line::open(&name).await;
    let store = open(settings(&schema, &line.url)).await;
    bootstrap(&store, &["run"]).await;
    assert_eq!(three(&store, "k1").await, [None; 3]);

    for round in 0..3 {
        line.becomes(Wire::Dead);
        // Callers who go away, as many as there are connections.
        let gone = timeout(DEADLINE / 10, three(&store, "gone")).await;
        assert!(gone.is_err());
        // Callers who stay: on new connections now, which get nowhere either.
        let begun = Instant::now();
        let (classes, opened) = tokio::join!(
            three(&store, "stays"),
            PostgresStore::connect(settings(&schema, &line.url))
        );
        assert!(begun.elapsed() < DEADLINE + SLACK, "{:?}", begun.elapsed());
        assert!(opened.is_err());
        for class in classes {
            let class = class.unwrap();
            assert!(
                [ErrorClass::Transient, ErrorClass::Unknown].contains(&class),
                "{class:?}"
            );
        }

        match round {
            1 => line.is_for_others(Wire::Open),
            _ => line.becomes(Wire::Open),
        }

        let begun = Instant::now();
        assert_eq!(three(&store, &format!("k{}", round + 2)).await, [None; 3]);
        assert!(begun.elapsed() < DEADLINE, "{:?}", begun.elapsed());
    }
    drop(line);
    // What they left on the server ends, and what they had under way is done or not.
    let ours = format!("SELECT count(*) FROM pg_stat_activity WHERE application_name = '{name}'");
    until(
        &mut connect().await,
        &format!("SELECT ({ours} AND state <> 'idle')"),
        0,
    )
    .await;
    until(
        &mut connect().await,
        &format!("SELECT greatest(3, ({ours}))"),
        3,
    )
    .await;
    assert_consistent(&mut connect().await, schema.name()).await;
    Ok(())
}
