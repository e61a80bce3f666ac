//! A run of 100,000 events, loaded again and again while it grows.

use std::collections::BTreeSet;

use dvt_conformance::fixture::run;
use dvt_contracts::*;

use crate::counting::{Checkpoints, Counting};
use crate::history::History;

const EVENTS: u64 = 100_000;
const SEED: u64 = 20_260_102;

/// Rebuilt from its first event, the state is that which was saved and restored all the way, byte for byte.
#[tokio::test]
async fn rebuilt_from_its_first_event_it_is_its_checkpoint_byte_for_byte() {
    let store = Counting::default();
    let run = run("long");
    store.bootstrap(&run).await;
    let mut history = History::new(SEED);
    let mut types = BTreeSet::new();
    let (mut made, mut saved) = (0, 0);
    while made < EVENTS {
        let count = (1 + history.below(2_500)).min(EVENTS - 2 - made);
        let events = match count {
            0 => history.end(),
            _ => history.events(count),
        };
        store.append(&run, &events).await;
        made += events.len() as u64;
        types.extend(events.iter().map(|event| event.event_type().to_string()));

        let loaded = store.load_state(&run).await.unwrap();

        saved += store.calls().saves;
        assert_eq!(
            bytes(&loaded),
            bytes(history.state()),
            "seed {SEED}, after {made} events"
        );
    }
    let kept = store.read_state(&run).await.unwrap();
    let tail = store.calls().events;
    assert!(
        tail < CHECKPOINT_EVERY && saved > 50,
        "{saved} saved, the last one {tail} events ago"
    );

    store.set(Checkpoints::Deleted);
    let rebuilt = store.read_state(&run).await.unwrap();

    assert_eq!(store.calls().events, EVENTS);
    assert_eq!(bytes(&rebuilt), bytes(&kept), "seed {SEED}");
    // It is worth comparing: all types, steps and attempts, and more anomalies than are listed.
    assert_eq!(types.len(), TRANSITIONS.len() + 1, "{types:?}");
    assert_eq!(rebuilt.last_seq(), EVENTS);
    assert_eq!(rebuilt.status(), RunStatus::Completed);
    assert_eq!(rebuilt.steps().len(), 300);
    assert_eq!(rebuilt.anomalies().len(), RunState::MAX_ANOMALIES);
    assert!(rebuilt.anomalies_total() > RunState::MAX_ANOMALIES as u64);
}

fn bytes(state: &RunState) -> String {
    Checkpoint::of(state).state
}
