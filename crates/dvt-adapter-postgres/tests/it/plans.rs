//! The plans of the hot path: index lookups, also if they were made before there was anything to look up.

use std::collections::BTreeSet;
use std::time::Instant;

use sqlx::PgConnection;

use crate::ground::Ground;
use crate::hot::{Hot, statements};
use crate::landscape::{fill, without_autovacuum};
use crate::plan::{look_at_costs, look_at_plan, prepare, rehearse};
use crate::server::execute;
use crate::trial::{Outcome, trials};

trials![
    every_query_is_looked_at_or_cold,
    plans_made_on_empty_tables_hold_on_a_million_events
];

/// What an operator does now and then, or what reads a table of one row or none.
const COLD: [&str; 5] = [
    "bind_destination",
    "hand_back",
    "hint",
    "retarget",
    "take_over",
];

async fn every_query_is_looked_at_or_cold() -> Outcome {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/queries");
    let mut there = BTreeSet::new();
    for entry in std::fs::read_dir(folder)? {
        let name = entry?.file_name().into_string().unwrap();
        // The doctor reads the catalogue, not what is in the tables.
        if !name.starts_with("doctor_") {
            there.insert(name.strip_suffix(".sql").unwrap().to_owned());
        }
    }

    let hot = statements();
    let hot = hot.iter().map(|hot| hot.file);

    assert_eq!(there, hot.chain(COLD).map(str::to_owned).collect());
    Ok(())
}

async fn plans_made_on_empty_tables_hold_on_a_million_events() -> Outcome {
    let hot = statements();
    let ground = Ground::new().await;
    let mut filler = ground.connection().await;
    without_autovacuum(&mut filler).await;
    let mut faults = Vec::new();

    let mut plain = ground.connection().await;
    execute(&mut plain, "SET plan_cache_mode = force_generic_plan").await;
    prepare_all(&mut plain, &hot).await;
    let mut early = prepared(&ground, &hot).await;
    for hot in &hot {
        for _ in 0..6 {
            rehearse(&mut early, hot).await;
            rehearse(&mut plain, hot).await;
        }
    }

    let started = Instant::now();
    fill(&mut filler).await;
    println!("a million events in {:?}", started.elapsed());
    look(
        &mut early,
        &hot,
        "prepared on empty tables, now full",
        &mut faults,
    )
    .await;
    // The look sees something where there is something: other settings keep plans for empty tables.
    let mut elsewhere = Vec::new();
    for hot in &hot {
        elsewhere.extend(look_at_plan(&mut plain, hot).await);
    }
    assert!(
        elsewhere.contains(&"reads all of outbox_dead_letters".to_owned()),
        "{elsewhere:?}"
    );
    let mut fresh = prepared(&ground, &hot).await;
    look(
        &mut fresh,
        &hot,
        "prepared on full tables, never analysed",
        &mut faults,
    )
    .await;

    execute(
        &mut filler,
        "ANALYZE run_metadata, run_events, outbox, outbox_dead_letters, run_checkpoints",
    )
    .await;
    look(
        &mut early,
        &hot,
        "prepared on empty tables, now analysed",
        &mut faults,
    )
    .await;
    let mut late = prepared(&ground, &hot).await;
    look(&mut late, &hot, "prepared on analysed tables", &mut faults).await;

    assert!(faults.is_empty(), "{}", faults.join("\n"));
    Ok(())
}

/// A connection of the store's kind with every statement prepared.
async fn prepared(ground: &Ground, hot: &[Hot]) -> PgConnection {
    let mut conn = ground.schema.settings().store_connection().await.unwrap();
    prepare_all(&mut conn, hot).await;
    conn
}

async fn prepare_all(conn: &mut PgConnection, hot: &[Hot]) {
    let files: BTreeSet<&str> = hot.iter().map(|hot| hot.file).collect();
    for file in files {
        prepare(conn, file).await;
    }
}

async fn look(conn: &mut PgConnection, hot: &[Hot], when: &str, faults: &mut Vec<String>) {
    println!("{when}");
    for hot in hot {
        let mut found = look_at_plan(conn, hot).await;
        found.extend(look_at_costs(conn, hot).await);
        faults.extend(
            found
                .iter()
                .map(|fault| format!("{when}: {} ({}) {fault}", hot.file, hot.call)),
        );
    }
}
