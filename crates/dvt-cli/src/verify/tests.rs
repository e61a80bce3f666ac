use super::*;
use crate::args::StoreArgs;
use crate::sample;

fn args(runs: &[&str], tenant: Option<&str>, json: bool) -> VerifyArgs {
    VerifyArgs {
        runs: runs.iter().map(|run| run.parse().unwrap()).collect(),
        tenant: tenant.map(|tenant| tenant.parse().unwrap()),
        json,
        store: StoreArgs::default(),
    }
}

async fn told(args: &VerifyArgs) -> (Exit, String) {
    let store = sample::store().await;
    let (mut console, out, err) = Console::kept(false);
    let exit = run(&store, args, &mut console).await.unwrap();
    assert_eq!(err.text(), "");
    (exit, out.text())
}

#[tokio::test]
async fn a_sound_store_is_told_as_such() {
    let (exit, text) = told(&args(&[], None, false)).await;
    let (_, json) = told(&args(&[], None, true)).await;

    assert_eq!(exit, Exit::Done);
    assert!(
        text.starts_with("4 runs with ") && text.ends_with(" events: sound\n"),
        "{text}"
    );
    let object: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(object["sound"], true);
    assert_eq!(object["runs"], 4);
    assert_eq!(object["violations_total"], 0);
    assert_eq!(object["violations"], serde_json::json!([]));
}

#[tokio::test]
async fn a_tenant_or_runs_can_be_picked_and_a_run_that_is_not_there_is_told() {
    let (_, tenant) = told(&args(&[], Some("beta"), false)).await;
    let (_, named) = told(&args(&["nightly-1", "nightly-2"], Some("acme"), false)).await;
    let store = sample::store().await;
    let (mut console, out, _) = Console::kept(false);
    let missing = run(&store, &args(&["none"], Some("acme"), false), &mut console).await;

    assert!(tenant.starts_with("1 run with "), "{tenant}");
    assert!(named.starts_with("2 runs with "), "{named}");
    assert_eq!(missing.unwrap_err().exit(), Exit::NotFound);
    assert_eq!(out.text(), "");
}
