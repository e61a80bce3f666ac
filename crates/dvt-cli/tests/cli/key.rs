//! `dvt key`.

use crate::common::dvt;

const VECTOR: &str = "84aa85852bafcae757b6f28bd8679cff89fb8b398bc8e3a5b4a4a798576ac327";

fn key(more: &[&str]) -> crate::common::Ran {
    let args = [
        "key",
        "--run-id",
        "run-1",
        "--plan-id",
        "plan",
        "--plan-version",
        "1",
        "--event-type",
    ];
    dvt(&[&args, more].concat())
}

#[test]
fn the_key_is_printed() {
    let ran = key(&["RunStarted"]);
    assert_eq!((ran.code, ran.out.as_str()), (0, &*format!("{VECTOR}\n")));
    let json = key(&["RunStarted", "--json"]).json();
    assert_eq!(json["idempotency_key"], VECTOR);
    assert_eq!(json["hashed_text"], "run-1|RUN|1|RunStarted|plan|1");
    assert_eq!(
        key(&["RunPaused", "--occurrence", "2", "--json"]).json()["hashed_text"],
        "run-1|RUN|1|RunPaused|plan|1|2"
    );
}

#[test]
fn wrong_coordinates_are_refused_with_the_remedy() {
    let ran = key(&["StepStarted"]);
    assert_eq!(
        (ran.code, ran.err.as_str()),
        (
            2,
            "error: a StepStarted event needs a step: give --step-id\n"
        )
    );
    for wrong in [
        ["--logical-attempt", "0"],
        ["--logical-attempt", "2147483648"],
        ["--occurrence", "0"],
        ["--step-id", ""],
    ] {
        let ran = key(&[&["RunStarted"][..], &wrong].concat());
        assert_eq!(ran.code, 2, "{ran:?}");
        assert!(ran.err.contains(wrong[0]), "{}", ran.err);
    }
    assert_eq!(key(&["RunStarted", "--step-id", "a"]).code, 2);
}
