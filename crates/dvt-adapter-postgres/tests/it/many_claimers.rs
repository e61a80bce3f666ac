//! Thirty-two relays on one outbox (CASES F 54).

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use dvt_conformance::fixture::{metadata, notes, run};
use dvt_contracts::{
    Acknowledgement, BootstrapRequest, ClaimRequest, ClaimedRun, LeaseToken, OutboxStorage as _,
    RunKey, RunStateStore as _,
};
use tokio::task::JoinSet;

use crate::server::{connect, url_with};
use crate::stage::{assert_consistent, migrated, open, without_waiting_for_disks};
use crate::trial::{Outcome, trials};

trials![no_run_is_under_two_leases_at_once];

const RELAYS: usize = 32;
const RUNS: usize = 1_000;
const EVENTS: usize = 100;

/// What all relays together know.
#[derive(Default)]
struct Books {
    /// Runs under a lease that its holder has not ended yet.
    held: HashSet<RunKey>,
    tokens: HashSet<LeaseToken>,
    /// Of each run, claim numbers and events in the order of the claims.
    runs: HashMap<RunKey, (Vec<u64>, Vec<u64>)>,
}

impl Books {
    fn enter(&mut self, claimed: &ClaimedRun) {
        let lease = &claimed.lease;
        let is_free = self.held.insert(lease.run.clone());
        assert!(is_free, "{} is under two leases", lease.run);
        assert!(self.tokens.insert(lease.token));
        let (claims, events) = self.runs.entry(lease.run.clone()).or_default();
        claims.push(lease.claim_no);
        events.extend(claimed.events.iter().map(|event| event.run_seq));
    }
}

async fn no_run_is_under_two_leases_at_once() -> Outcome {
    let schema = migrated().await;
    let url = url_with(without_waiting_for_disks);
    let mut stores = Vec::new();
    for _ in 0..4 {
        stores.push(Arc::new(open(schema.settings_by(&url)).await));
    }
    for number in 0..RUNS {
        let request = BootstrapRequest {
            run: run(&format!("run-{number}")),
            metadata: metadata(),
            events: notes(1, EVENTS),
        };
        stores[number % 4].bootstrap_run(&request).await?;
    }
    let books = Arc::new(Mutex::new(Books::default()));
    let mut relays = JoinSet::new();
    for number in 0..RELAYS {
        let (store, books) = (Arc::clone(&stores[number % 4]), Arc::clone(&books));
        relays.spawn(async move {
            let request = ClaimRequest {
                max_runs: 7,
                max_events_per_run: 30,
                max_bytes: 1 << 20,
                lease: Duration::from_secs(60),
            };
            loop {
                let claimed = store.claim(&request).await.unwrap();
                if claimed.is_empty() {
                    // Others may still hold what is left.
                    if store.stats().await.unwrap().pending_events == 0 {
                        return;
                    }
                    continue;
                }
                let mut acknowledgements = Vec::new();
                for claimed in claimed {
                    books.lock().unwrap().enter(&claimed);
                    let lease = claimed.lease;
                    let through = lease.last_seq;
                    acknowledgements.push(Acknowledgement { lease, through });
                }
                // From the acknowledgement on somebody else may have them.
                for acknowledgement in &acknowledgements {
                    books
                        .lock()
                        .unwrap()
                        .held
                        .remove(&acknowledgement.lease.run);
                }
                let replies = store.mark_delivered(&acknowledgements).await.unwrap();
                assert!(replies.iter().all(Result::is_ok), "{replies:?}");
            }
        });
    }
    while let Some(ended) = relays.join_next().await {
        ended?;
    }

    let runs = std::mem::take(&mut books.lock().unwrap().runs);
    assert_eq!(runs.len(), RUNS);
    for (run, (claims, events)) in &runs {
        let all: Vec<u64> = (1..=EVENTS as u64).collect();
        assert_eq!(events, &all, "{run}");
        let dense: Vec<u64> = (1..=claims.len() as u64).collect();
        assert_eq!(claims, &dense, "{run}");
    }
    let mut conn = connect().await;
    assert_consistent(&mut conn, schema.name()).await;
    Ok(())
}
