use dvt_adapter_memory::MemoryStore;

use super::*;
use crate::args::StoreArgs;
use crate::console::Page;
use crate::reader::NdjsonReader;
use crate::record::{Input, Patience, Tally, record};

fn args(second: &str, at_least: f64, json: bool) -> DiffArgs {
    DiffArgs {
        first: "one".parse().unwrap(),
        second: second.parse().unwrap(),
        tenant: "t".parse().unwrap(),
        at_least,
        json,
        store: StoreArgs::default(),
    }
}

fn line(run: &str, event: &str, step: &str, attempt: u32, second: u32) -> String {
    format!(
        r#"{{"tenant_id":"t","project_id":"p","environment_id":"e","run_id":"{run}","plan_id":"plan","plan_version":"1","event_type":"{event}","step_id":"{step}","logical_attempt":{attempt},"emitted_at":"2026-01-02T03:04:{second:02}Z"}}"#
    ) + "\n"
}

/// `same` is the same, `slow` takes 4 s more, `broken` fails, `again` is tried twice, `new` is there only in the second.
async fn store() -> MemoryStore {
    let mut lines = String::new();
    for (run, slow) in [("one", 5), ("two", 9)] {
        lines += r#"{"tenant_id":"t","project_id":"p","environment_id":"e","run_id":"RUN","plan_id":"plan","plan_version":"1","event_type":"RunStarted","emitted_at":"2026-01-02T03:04:00Z"}"#
            .replace("RUN", run)
            .as_str();
        lines.push('\n');
        for (step, end) in [("same", 3), ("slow", slow)] {
            lines += &line(run, "StepStarted", step, 1, 1);
            lines += &line(run, "StepCompleted", step, 1, end);
        }
    }
    lines += &line("one", "StepCompleted", "broken", 1, 3);
    lines += &line("two", "StepFailed", "broken", 1, 3);
    lines += &line("one", "StepCompleted", "again", 1, 3);
    lines += &line("two", "StepFailed", "again", 1, 3);
    lines += &line("two", "StepCompleted", "again", 2, 4);
    lines += &line("two", "StepSkipped", "new", 1, 4);
    let input = Input {
        name: "lines".into(),
        size: None,
        stream: std::io::Cursor::new(lines),
    };
    let (store, mut tally) = (MemoryStore::new(), Tally::default());
    let mut page = Page::to_file(Vec::new());
    record(
        input,
        &mut NdjsonReader::default(),
        &store,
        &mut page,
        &mut tally,
        Patience::None,
    )
    .await
    .unwrap();
    assert_eq!(tally.rejected, 0);
    store
}

async fn told(args: &DiffArgs) -> (String, String) {
    let (mut console, out, err) = Console::kept(false);
    let exit = run(&store().await, args, &mut console).await.unwrap();
    assert_eq!(exit, Exit::Done);
    (out.text(), err.text())
}

#[tokio::test]
async fn steps_that_differ_come_by_how_much_that_matters() {
    let (out, err) = told(&args("two", 0.0, false)).await;

    assert_eq!(
        out,
        "broken\tcompleted\tfailed\t0.000000\t0.000000\t0.000000\t1\t1\n\
         new\t\tskipped\t0.000000\t\t0.000000\t\t1\n\
         again\tcompleted\tcompleted\t0.000000\t0.000000\t0.000000\t1\t2\n\
         slow\tcompleted\tcompleted\t4.000000\t4.000000\t8.000000\t1\t1\n"
    );
    assert_eq!(err, "4 of 5 steps differ\n");
}

#[tokio::test]
async fn times_that_differ_little_can_be_left_out() {
    let (out, err) = told(&args("two", 4.5, false)).await;

    assert!(!out.contains("slow"), "{out}");
    assert_eq!(err, "3 of 5 steps differ\n");
}

#[tokio::test]
async fn objects_tell_both_sides() {
    let (out, _) = told(&args("two", 0.0, true)).await;

    let slow: serde_json::Value = serde_json::from_str(out.lines().last().unwrap()).unwrap();
    assert_eq!(
        slow,
        serde_json::json!({
            "step_id": "slow",
            "status": ["completed", "completed"],
            "attempts": [1, 1],
            "seconds": [4.0, 8.0],
            "more_seconds": 4.0,
        })
    );
    let new: serde_json::Value = serde_json::from_str(out.lines().nth(1).unwrap()).unwrap();
    assert_eq!(new["status"], serde_json::json!([null, "skipped"]));
}

#[tokio::test]
async fn a_run_is_no_different_from_itself_and_one_that_is_not_there_is_told() {
    let (out, err) = told(&args("one", 0.0, false)).await;
    let missing = run(
        &store().await,
        &args("none", 0.0, false),
        &mut Console::kept(false).0,
    )
    .await;

    assert_eq!((out.as_str(), err.as_str()), ("", "0 of 4 steps differ\n"));
    assert_eq!(missing.unwrap_err().exit(), Exit::NotFound);
}
