//! How often a caller waits for the server: once, counted on the wire.

use std::time::Duration;

use dvt_adapter_postgres::PostgresStore;
use dvt_conformance::fixture::{claim_all, metadata, note, notes, policy, run};
use dvt_contracts::{
    Acknowledgement, AppendRequest, BootstrapRequest, ClaimRequest, Lease, OutboxStorage as _,
    RunKey, RunStateStore as _, SafeText,
};
use sqlx::postgres::{PgConnectOptions, PgSslMode};

use crate::ground::bootstrap;
use crate::migrations::quietly;
use crate::server::{TestSchema, url, url_with};
use crate::trial::{Outcome, trials};
use crate::wiretap::{Traffic, Wiretap};

trials![
    every_call_is_one_request_and_one_reply,
    an_empty_claim_is_one_request_and_one_reply,
    no_transaction_is_begun,
];

/// One call in steady state.
const ONE: Traffic = Traffic {
    syncs: 1,
    parses: 0,
    queries: 0,
    sent: 4, // Bind, Execute, Close (of the portal), Sync
    readies: 1,
};

/// A store of one connection behind the proxy.
pub(crate) struct Tapped {
    pub(crate) tap: Wiretap,
    pub(crate) store: PostgresStore,
    _schema: TestSchema,
}

impl Tapped {
    /// `None` if the server cannot be tapped.
    pub(crate) async fn open() -> Result<Option<Self>, Box<dyn std::error::Error + Send + Sync>> {
        let options: PgConnectOptions = url().parse()?;
        let clear = matches!(
            options.get_ssl_mode(),
            PgSslMode::Disable | PgSslMode::Allow | PgSslMode::Prefer
        );
        if options.get_socket().is_some() || !clear {
            println!("left out: messages are counted on a TCP connection without TLS");
            return Ok(None);
        }
        let schema = TestSchema::create();
        quietly(&schema.settings()).await?;
        let tap = Wiretap::before(options.get_host(), options.get_port()).await?;
        let url = url_with(|url| {
            url.set_host(Some("127.0.0.1")).unwrap();
            url.set_port(Some(tap.port())).unwrap();
            let others: Vec<_> = url
                .query_pairs()
                .into_owned()
                .filter(|(name, _)| name != "sslmode")
                .collect();
            url.query_pairs_mut()
                .clear()
                .extend_pairs(others)
                .append_pair("sslmode", "disable");
        });
        let settings = schema.settings_by(&url).with_max_connections(1)?;
        let store = PostgresStore::connect(settings).await?;
        Ok(Some(Self {
            tap,
            store,
            _schema: schema,
        }))
    }

    /// What a call costs.
    async fn cost<T>(&self, call: impl Future<Output = T>) -> (T, Traffic) {
        let before = self.tap.traffic();
        let reply = call.await;
        (reply, self.tap.traffic().since(before))
    }

    async fn claim(&self) -> Vec<Lease> {
        let claimed = self.store.claim(&claim_all()).await.unwrap();
        claimed.into_iter().map(|run| run.lease).collect()
    }
}

fn append(run: &RunKey, from: usize, to: usize) -> Vec<AppendRequest> {
    vec![AppendRequest::new(run.clone(), notes(from, to))]
}

/// Claims that come soon after one another have a floor; this waits until the next has none, or has one.
async fn past_the_sweep() {
    tokio::time::sleep(Duration::from_millis(1_050)).await;
}

/// All calls once, and what each cost.
async fn round(tapped: &Tapped, number: usize) -> Vec<(&'static str, Traffic)> {
    let store = &tapped.store;
    let runs: Vec<RunKey> = (0..10)
        .map(|place| run(&format!("run-{number}-{place}")))
        .collect();
    let first = &runs[0];
    let mut costs = Vec::new();

    for run in &runs[1..] {
        bootstrap(store, run).await;
    }
    let request = BootstrapRequest {
        run: first.clone(),
        metadata: metadata(),
        events: notes(1, 3),
    };
    let (reply, cost) = tapped.cost(store.bootstrap_run(&request)).await;
    assert!(reply.unwrap().created);
    costs.push(("bootstrap of a new run", cost));

    let (reply, cost) = tapped.cost(store.append_batch(&append(first, 4, 4))).await;
    assert_eq!(reply.unwrap()[0].as_ref().unwrap().head, 4);
    costs.push(("append of one event", cost));

    let (reply, cost) = tapped
        .cost(store.append_batch(&append(first, 5, 104)))
        .await;
    assert_eq!(reply.unwrap()[0].as_ref().unwrap().head, 104);
    costs.push(("append of a hundred events", cost));

    let (reply, cost) = tapped.cost(store.append_batch(&append(first, 4, 4))).await;
    assert!(reply.unwrap()[0].as_ref().unwrap().events[0].is_duplicate());
    costs.push(("append of a known key", cost));

    let to_all: Vec<AppendRequest> = runs
        .iter()
        .map(|run| AppendRequest::new(run.clone(), vec![note("all")]))
        .collect();
    let (reply, cost) = tapped.cost(store.append_batch(&to_all)).await;
    assert!(reply.unwrap().iter().all(Result::is_ok));
    costs.push(("append to ten runs", cost));

    let (page, cost) = tapped.cost(store.list_events(first, 0, 50)).await;
    assert_eq!(page.unwrap().events.len(), 50);
    costs.push(("list of events", cost));

    past_the_sweep().await;
    let (claimed, cost) = tapped
        .cost(store.claim(&ClaimRequest {
            max_runs: 1,
            ..claim_all()
        }))
        .await;
    let leases: Vec<Lease> = claimed.unwrap().into_iter().map(|run| run.lease).collect();
    assert_eq!(leases.len(), 1);
    costs.push(("claim that sweeps", cost));
    let (claimed, cost) = tapped
        .cost(store.claim(&ClaimRequest {
            max_runs: 1,
            ..claim_all()
        }))
        .await;
    assert_eq!(claimed.unwrap().len(), 1);
    costs.push(("claim above the floor", cost));

    let (extended, cost) = tapped
        .cost(store.extend(&leases, Duration::from_secs(90)))
        .await;
    assert!(extended.unwrap()[0].is_ok());
    costs.push(("extension", cost));

    let (released, cost) = tapped.cost(store.release(&leases)).await;
    assert!(released.unwrap()[0].is_ok());
    costs.push(("release", cost));

    let leases = tapped.claim().await;
    let (failed, cost) = tapped
        .cost(store.mark_failed(
            &leases[0],
            leases[0].last_seq,
            &SafeText::new("no"),
            &policy(3),
        ))
        .await;
    failed.unwrap();
    costs.push(("failure", cost));

    let acknowledged = |lease: &Lease| Acknowledgement {
        lease: lease.clone(),
        through: lease.last_seq,
    };
    let one = [acknowledged(&leases[1])];
    let (delivered, cost) = tapped.cost(store.mark_delivered(&one)).await;
    assert!(delivered.unwrap()[0].is_ok());
    costs.push(("acknowledgement", cost));

    let rest: Vec<Acknowledgement> = leases[2..].iter().map(acknowledged).collect();
    assert!(rest.len() > 3);
    let (delivered, cost) = tapped.cost(store.mark_delivered(&rest)).await;
    assert!(delivered.unwrap().iter().all(Result::is_ok));
    costs.push(("acknowledgement of several runs", cost));

    let (record, cost) = tapped.cost(store.get_run(first)).await;
    assert_eq!(record.unwrap().head, 105);
    costs.push(("look at a run", cost));
    costs
}

async fn every_call_is_one_request_and_one_reply() -> Outcome {
    let Some(tapped) = Tapped::open().await? else {
        return Ok(());
    };
    // Prepares every statement.
    round(&tapped, 1).await;
    let connections = tapped.tap.connections();

    let start = tapped.tap.traffic();
    let costs = round(&tapped, 2).await;
    let whole = tapped.tap.traffic().since(start);

    for (call, cost) in &costs {
        assert_eq!(*cost, ONE, "{call}");
    }
    // Between the calls, on taking the connection and on giving it back, nothing is sent: nine bootstraps and a claim were
    // not counted one by one.
    let calls = u64::try_from(costs.len() + 9 + 1)?;
    assert_eq!(
        whole,
        Traffic {
            syncs: calls,
            sent: ONE.sent * calls,
            readies: calls,
            ..Traffic::default()
        }
    );
    assert_eq!(tapped.tap.connections(), connections, "new connections");
    Ok(())
}

async fn an_empty_claim_is_one_request_and_one_reply() -> Outcome {
    let Some(tapped) = Tapped::open().await? else {
        return Ok(());
    };
    tapped.claim().await;

    for _ in 0..3 {
        let (leases, cost) = tapped.cost(tapped.claim()).await;
        assert_eq!((leases.len(), cost), (0, ONE));
    }
    Ok(())
}

/// CASES C 26: an error cannot be lost in a transaction if there is none. Also the first use of each statement sends
/// nothing in the simple protocol, in which the driver begins and ends transactions.
async fn no_transaction_is_begun() -> Outcome {
    let Some(tapped) = Tapped::open().await? else {
        return Ok(());
    };
    let before = tapped.tap.traffic();

    round(&tapped, 1).await;

    let whole = tapped.tap.traffic().since(before);
    assert_eq!(whole.queries, 0);
    assert!(whole.parses > 8, "{whole:?}");
    Ok(())
}
