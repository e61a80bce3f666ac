//! A server that crashes under its writers.

use std::collections::BTreeSet;
use std::time::Duration;

use dvt_adapter_postgres::{PostgresSettings, PostgresStore, migrate};
use dvt_conformance::fixture::{note, run};
use dvt_contracts::{AppendRequest, ErrorClass, RunStateStore as _, RunStateStoreExt as _};

use crate::ground::bootstrap;
use crate::own_server::OwnServer;
use crate::trial::{Outcome, trials};

trials![a_retry_with_the_same_key_makes_up_for_a_crash];

const WRITERS: usize = 4;
const EVENTS: usize = 300;
const CRASHES: usize = 3;

/// Appends notes one by one, each until it is acknowledged.
async fn write(store: PostgresStore, writer: usize) {
    for number in 0..EVENTS {
        let event = note(&format!("{writer}-{number}"));
        loop {
            let request = AppendRequest::new(run("a"), vec![event.clone()]);
            match store.append_and_enqueue(request).await {
                Ok(_) => break,
                Err(error) => assert!(
                    matches!(error.class(), ErrorClass::Transient | ErrorClass::Unknown),
                    "{error:?}"
                ),
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

async fn a_retry_with_the_same_key_makes_up_for_a_crash() -> Outcome {
    let Some(server) = OwnServer::start() else {
        return Ok(());
    };
    let settings = PostgresSettings::from_url(&server.url())?;
    migrate(&settings, &mut |_| ()).await?;
    let store = PostgresStore::connect(settings).await?;
    bootstrap(&store, &run("a")).await;

    let writers: Vec<_> = (0..WRITERS)
        .map(|writer| tokio::spawn(write(store.clone(), writer)))
        .collect();
    let crashes = tokio::task::spawn_blocking(move || {
        for _ in 0..CRASHES {
            server.crash_and_restart();
        }
        server
    });
    let _server = crashes.await?;
    for writer in writers {
        writer.await?;
    }

    let page = store.list_events(&run("a"), 0, 1_000).await?;
    assert_eq!(page.head, (WRITERS * EVENTS) as u64);
    let rest = store.list_events(&run("a"), 1_000, 1_000).await?;
    let events = page.events.iter().chain(&rest.events);
    let (seqs, keys): (Vec<u64>, BTreeSet<String>) = events
        .map(|event| (event.run_seq, event.event.idempotency_key().to_string()))
        .unzip();
    assert_eq!(seqs, (1..=page.head).collect::<Vec<_>>());
    assert_eq!(keys.len(), WRITERS * EVENTS);
    Ok(())
}
