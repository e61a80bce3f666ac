//! Which process gets which bug.

use std::sync::Arc;

use dvt_contracts::{EventSink, OutboxStorage, Store};

use super::past::Past;
use super::sink::PlantedSink;
use super::store::PlantedStore;
use crate::BoxError;
use crate::roles::{Role, ScribeSink, Station};

async fn planted(
    station: &Station,
    store: Arc<dyn Store>,
    bugs: &[&str],
) -> Result<Arc<dyn Store>, BoxError> {
    match &station.planted {
        Some(bug) if bugs.contains(&bug.as_str()) => {
            let past = Past::new(&station.backing).await?;
            Ok(Arc::new(PlantedStore::new(bug, store, past)))
        }
        _ => Ok(store),
    }
}

pub(crate) async fn writer_store(
    station: &Station,
    store: Arc<dyn Store>,
) -> Result<Arc<dyn Store>, BoxError> {
    let bugs = [
        "acknowledges-unknown",
        "fails-but-stores",
        "stores-twice",
        "retries-with-fresh-keys",
        "ignores-expected",
    ];
    planted(station, store, &bugs).await
}

pub(crate) async fn reader_store(
    station: &Station,
    store: Arc<dyn Store>,
) -> Result<Arc<dyn Store>, BoxError> {
    if station.planted.as_deref() == Some("idles-in-transaction") {
        let past = Past::new(&station.backing).await?;
        past.execute("BEGIN").await;
        past.execute("SELECT pg_advisory_lock(1)").await;
        // It stays as long as this process.
        std::mem::forget(past);
    }
    planted(station, store, &["mixes-tenants", "reads-old-pages"]).await
}

pub(crate) async fn operator_store(
    station: &Station,
    store: Arc<dyn Store>,
) -> Result<Arc<dyn Store>, BoxError> {
    planted(station, store, &["prunes-pending", "forgets-dead-letters"]).await
}

pub(crate) async fn relay_parts(
    station: &Station,
    store: Arc<dyn Store>,
    sink: Arc<ScribeSink>,
) -> Result<(Arc<dyn OutboxStorage>, Arc<dyn EventSink>), BoxError> {
    let store = match station.planted.as_deref() {
        Some("trusts-its-own-clock") if station.number == 0 => {
            station
                .backing
                .open_ahead(Role::Relay.connections(), 5)
                .await?
        }
        _ => {
            planted(
                station,
                store,
                &["marks-without-token", "ignores-leases", "charges-twice"],
            )
            .await?
        }
    };
    let sink: Arc<dyn EventSink> = match &station.planted {
        Some(bug) => Arc::new(PlantedSink {
            bug: bug.clone(),
            sink,
        }),
        None => sink,
    };
    Ok((store, sink))
}
