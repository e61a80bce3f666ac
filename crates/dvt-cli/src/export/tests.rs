use std::path::PathBuf;

use dvt_adapter_memory::MemoryStore;
use dvt_adapter_sqlite::{SqliteSettings, SqliteStore};
use dvt_contracts::{
    BootstrapRequest, Event, EventType, Payload, ProviderRef, RunStateStoreExt as _, Timestamp,
};

use super::*;
use crate::args::StoreArgs;
use crate::reader::NdjsonReader;
use crate::record::{Input, Patience, Tally, record};

/// What JSON allows and most readers would change: odd numbers, doubled keys, line breaks, escapes.
const PAYLOADS: [&str; 7] = [
    r#"{"n":1e100000,"m":-0,"o":1E2,"p":0.10}"#,
    r#"{"a":1,"a":2,"b":{"a":3}}"#,
    "{\n  \"a\": [1,\r\n 2]\n}",
    r#""\u0041\/ é \ud83d\ude00""#,
    "null",
    "[]",
    "\"\u{2028}\u{7f}\"",
];

fn args(runs: &[&str], tenant: Option<&str>) -> ExportArgs {
    ExportArgs {
        runs: runs.iter().map(|run| run.parse().unwrap()).collect(),
        tenant: tenant.map(|tenant| tenant.parse().unwrap()),
        store: StoreArgs::default(),
    }
}

fn key(tenant: &str, run: &str) -> RunKey {
    RunKey::new(tenant.parse().unwrap(), run.parse().unwrap())
}

async fn bootstrap(store: &dyn Store, run: &RunKey, events: Vec<Event>) {
    let metadata = dvt_contracts::RunMetadata {
        project_id: "shop".parse().unwrap(),
        environment_id: "dev".parse().unwrap(),
        plan_id: "plan".parse().unwrap(),
        plan_version: "1".parse().unwrap(),
    };
    let run = run.clone();
    let request = BootstrapRequest {
        run,
        metadata,
        events,
    };
    store.bootstrap_run(&request).await.unwrap();
}

fn events() -> Vec<Event> {
    let odd = PAYLOADS.iter().enumerate().map(|(number, payload)| {
        let event_type: EventType = "Checked".parse().unwrap();
        let step = (number % 2 == 0).then(|| "step é".parse().unwrap());
        let at: Timestamp = "2026-01-02T03:04:05.000006Z".parse().unwrap();
        Event::new(
            event_type,
            step,
            format!("key|{number}").parse().unwrap(),
            at,
        )
        .unwrap()
        .with_payload(Payload::new(payload).unwrap())
    });
    odd.collect()
}

/// Two tenants; a run without events, one with odd payloads, and a reference of a provider for each.
async fn filled() -> MemoryStore {
    let store = MemoryStore::new();
    bootstrap(&store, &key("b", "odd"), events()).await;
    bootstrap(&store, &key("a", "empty"), Vec::new()).await;
    bootstrap(&store, &key("a", "Zebra"), events()).await;
    let whole = ProviderRef::new("dagster", Some("eu"), "w-1", Some("r-1")).unwrap();
    let short = ProviderRef::new("dagster", None, "w-2", None).unwrap();
    store
        .save_provider_ref(&key("b", "odd"), &whole)
        .await
        .unwrap();
    store
        .save_provider_ref(&key("a", "empty"), &short)
        .await
        .unwrap();
    store
}

async fn exported(store: &dyn Store, args: &ExportArgs) -> String {
    let (mut console, out, err) = Console::kept(false);
    run(store, args, &mut console).await.unwrap();
    assert_eq!(err.text(), "");
    out.text()
}

async fn recorded(store: &dyn Store, lines: &str) -> Tally {
    let input = Input {
        name: "the export".into(),
        size: None,
        stream: std::io::Cursor::new(lines.to_owned()),
    };
    let (mut tally, mut page) = (Tally::default(), Page::to_file(Vec::new()));
    record(
        input,
        &mut NdjsonReader::default(),
        store,
        &mut page,
        &mut tally,
        Patience::None,
    )
    .await
    .unwrap();
    tally
}

#[tokio::test]
async fn an_export_recorded_elsewhere_exports_the_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let file: PathBuf = folder.path().join("dvt.db");
    let elsewhere = SqliteStore::open(SqliteSettings::new(file)).await.unwrap();
    let store = filled().await;
    let everything = args(&[], None);

    let first = exported(&store, &everything).await;
    let tally = recorded(&elsewhere, &first).await;
    let second = exported(&elsewhere, &everything).await;
    let again = recorded(&elsewhere, &first).await;
    let back = MemoryStore::new();
    recorded(&back, &second).await;

    assert_eq!((tally.appended, tally.created, tally.rejected), (14, 3, 0));
    assert_eq!(second, first);
    assert_eq!(
        (again.appended, again.duplicates, again.rejected),
        (0, 14, 0)
    );
    assert_eq!(exported(&back, &everything).await, first);
    let stored = elsewhere
        .list_events(&key("b", "odd"), 0, 100)
        .await
        .unwrap();
    let payloads = stored
        .events
        .iter()
        .map(|event| event.event.payload().as_str());
    assert_eq!(payloads.collect::<Vec<_>>(), PAYLOADS);
}

#[tokio::test]
async fn runs_come_in_the_order_of_their_keys_with_all_that_a_store_does_not_make() {
    let store = filled().await;

    let lines = exported(&store, &args(&[], None)).await;

    let mut lines = lines.lines();
    let zebra = lines.next().unwrap();
    assert_eq!(
        zebra,
        r#"{"tenant_id":"a","project_id":"shop","environment_id":"dev","run_id":"Zebra","plan_id":"plan","plan_version":"1","run_seq":1,"event_type":"Checked","step_id":"step é","logical_attempt":1,"engine_attempt":1,"idempotency_key":"key|0","emitted_at":"2026-01-02T03:04:05.000006Z","payload":{"n":1e100000,"m":-0,"o":1E2,"p":0.10}}"#
    );
    assert_eq!(
        lines.nth(6).unwrap(),
        r#"{"tenant_id":"a","project_id":"shop","environment_id":"dev","run_id":"empty","plan_id":"plan","plan_version":"1","provider_ref":{"provider":"dagster","workflow_id":"w-2"}}"#
    );
    let odd = lines.next().unwrap();
    assert!(
        odd.contains(r#""run_id":"odd","plan_id":"plan","plan_version":"1","provider_ref":{"provider":"dagster","namespace":"eu","workflow_id":"w-1","run_id":"r-1"},"run_seq":1,"#),
        "{odd}"
    );
    assert_eq!(lines.count(), 6);
}

#[tokio::test]
async fn named_runs_alone_are_exported_and_one_that_is_not_there_stops_all() {
    let store = filled().await;

    let one = exported(&store, &args(&["odd", "odd"], Some("b"))).await;
    let (mut console, out, _) = Console::kept(false);
    let missing = run(&store, &args(&["odd", "none"], Some("b")), &mut console).await;

    assert_eq!(one.lines().count(), PAYLOADS.len());
    assert_eq!(missing.unwrap_err().exit(), Exit::NotFound);
    assert_eq!(out.text(), "");
}

#[tokio::test]
async fn a_pruned_run_is_left_out_and_told() {
    let store = filled().await;
    let run_key = key("a", "empty");
    for (name, number) in [(EventType::RunStarted, 1), (EventType::RunCompleted, 2)] {
        let key = format!("k{number}").parse().unwrap();
        let event = Event::new(name, None, key, Timestamp::now()).unwrap();
        let request = dvt_contracts::AppendRequest::new(run_key.clone(), vec![event]);
        store.append_and_enqueue(request).await.unwrap();
    }
    crate::drain::to_ndjson(
        std::sync::Arc::new(store.clone()),
        &mut Console::kept(false).0,
    )
    .await
    .unwrap();
    store.prune_run(&run_key).await.unwrap();

    let (mut console, out, err) = Console::kept(false);
    run(&store, &args(&[], Some("a")), &mut console)
        .await
        .unwrap();

    assert_eq!(out.text().lines().count(), PAYLOADS.len());
    assert_eq!(err.text(), "left out: 1 run whose events are pruned\n");
}
