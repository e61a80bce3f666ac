//! How much waits inside.

use std::sync::Arc;

use dvt_conformance::fixture::{note, payload, run};
use dvt_contracts::{AppendRequest, Payload, RunStateStore as _, RunStateStoreExt as _};
use tokio::task::JoinSet;

use super::callers::FLIGHTS;
use crate::check::{Checked, Make, all_told, check, check_eq, settle, told};
use crate::slow::Slow;

/// Ten of them are 10 MiB: there is room for six calls, the one under way among them.
fn large(number: usize) -> AppendRequest {
    mebibytes(number, 10)
}

fn mebibytes(number: usize, count: usize) -> AppendRequest {
    thread_local! {
        static MEBIBYTE: Payload = payload(&format!("\"{}\"", "x".repeat(1_048_570)));
    }
    let events = (0..count).map(|event| {
        let payload = MEBIBYTE.with(Clone::clone);
        note(&format!("{number}.{event}")).with_payload(payload)
    });
    AppendRequest::new(run("a"), events.collect())
}

pub(super) async fn more_than_there_is_room_for_waits_outside(make: Make) -> Checked {
    for flights in FLIGHTS {
        let store = Slow::new().with_runs(&["a"]).await;
        let layer = make(store.clone(), flights);
        let mut callers = JoinSet::new();
        for number in 0..20 {
            let (layer, request) = (Arc::clone(&layer), large(number));
            callers.spawn(async move { layer.append_and_enqueue(request).await });
        }
        settle().await;
        check_eq!(store.calls(), [1], "requests of the calls under way");
        let waiting = format!("{layer:?}").matches("AppendRequest {").count();
        check!(waiting <= 6, "{waiting} calls of 10 MiB wait inside");

        store.open();
        for reply in all_told(&mut callers).await? {
            reply?;
        }
        check_eq!(layer.get_run(&run("a")).await?.head, 200, "head");
    }
    Ok(())
}

pub(super) async fn whoever_goes_away_gives_room(make: Make) -> Checked {
    for flights in FLIGHTS {
        let store = Slow::new().with_runs(&["a"]).await;
        let layer = make(store.clone(), flights);
        let spawned = |callers: &mut JoinSet<_>, number| {
            let (layer, request) = (Arc::clone(&layer), large(number));
            callers.spawn(async move { layer.append_and_enqueue(request).await.is_ok() })
        };
        for round in 0..4 {
            let mut callers = JoinSet::new();
            let mut handles: Vec<_> = (0..9)
                .map(|number| spawned(&mut callers, round * 100 + number))
                .collect();
            settle().await;
            // The first is under way, the next ones wait inside, the last ones outside.
            handles.drain(1..8).for_each(|handle| handle.abort());
            settle().await;
            store.let_one_through();
            store.let_one_through();
            let mut heard = 0;
            while let Some(told) = told(callers.join_next()).await? {
                heard += usize::from(matches!(told, Ok(true)));
            }
            check_eq!(heard, 2, "callers that stayed and were served");
        }
        store.open();
        let largest = layer.append_and_enqueue(mebibytes(1_000, 16));
        check_eq!(told(largest).await??.events.len(), 16, "events of a reply");
    }
    Ok(())
}
