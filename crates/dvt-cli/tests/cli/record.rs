//! `dvt record` with NDJSON.

use crate::common::{Ran, dvt, dvt_with, line};

fn record(args: &[&str], input: &str) -> Ran {
    dvt_with(&[&["record", "-"], args].concat(), input.as_bytes())
}

fn small_run() -> String {
    [
        line("run-1", "RunStarted", 0, ""),
        line("run-1", "StepStarted", 1, r#","step_id":"load""#),
        line(
            "run-1",
            "StepFailed",
            3,
            r#","step_id":"load","payload":{"why":"disk"}"#,
        ),
        line(
            "run-1",
            "StepStarted",
            4,
            r#","step_id":"load","logical_attempt":2"#,
        ),
        line(
            "run-1",
            "StepCompleted",
            8,
            r#","step_id":"load","logical_attempt":2"#,
        ),
        line("run-1", "StepStarted", 8, r#","step_id":"report""#),
    ]
    .concat()
}

#[test]
fn the_same_lines_twice_are_appended_once() {
    let ran = record(&[], &small_run().repeat(2));
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(
        ran.out
            .starts_with("1 run: 6 appended, 6 duplicates, 0 rejected\n"),
        "{}",
        ran.out
    );
    assert!(
        ran.out.contains("t/run-1: Running, 6 events"),
        "{}",
        ran.out
    );
}

#[test]
fn the_json_summary_has_stable_names() {
    let ran = record(&["--json"], &(small_run() + "\n" + &small_run() + "oops\n"));
    assert_eq!(ran.code, 1);
    let json = ran.json();
    let expected = [
        ("lines", 14),
        ("blank", 1),
        ("appended", 6),
        ("duplicates", 6),
        ("duplicates_with_other_content", 0),
        ("rejected", 1),
        ("ignored", 0),
        ("runs_total", 1),
        ("runs_created", 1),
    ];
    for (name, number) in expected {
        assert_eq!(json[name], number, "{name}");
    }
    assert_eq!(json["complete"], true);
    let run = &json["runs"][0];
    assert_eq!(run["status"], "Running");
    assert_eq!(
        run["steps"],
        serde_json::json!({"running": 1, "completed": 1, "failed": 0, "skipped": 0})
    );
    assert_eq!(run["project_id"], "shop");
}

#[test]
fn bad_lines_are_reported_and_the_good_ones_around_them_kept() {
    let bad = line("run-1", "RunPaused", 1, r#","plan_id":"twice""#);
    let unknown = line("run-1", "RunPaused", 1, r#","setp_id":"x""#);
    let input = [
        line("run-1", "RunStarted", 0, ""),
        bad,
        "\n".into(),
        unknown,
        line("run-1", "RunFailed", 2, ""),
    ];
    let ran = record(&[], &input.concat());
    assert_eq!(ran.code, 1);
    assert!(
        ran.out.contains("2 appended, 0 duplicates, 2 rejected"),
        "{}",
        ran.out
    );
    let lines: Vec<_> = ran.err.lines().collect();
    assert_eq!(lines.len(), 2, "{}", ran.err);
    assert!(
        lines[0].starts_with("line 2: duplicate field `plan_id`"),
        "{}",
        ran.err
    );
    assert!(
        lines[1].starts_with("line 4: unknown field `setp_id`, expected one of"),
        "{}",
        ran.err
    );
}

#[test]
fn only_the_first_bad_lines_are_listed_but_all_are_counted() {
    let ran = record(&[], &"oops\n".repeat(1_000));
    assert_eq!(ran.code, 1);
    assert!(ran.out.contains("1,000 rejected"), "{}", ran.out);
    assert_eq!(ran.err.lines().count(), 21, "{}", ran.err);
    assert!(
        ran.err
            .ends_with("more lines were rejected: they are counted, not listed\n")
    );
}

#[test]
fn bad_lines_cannot_write_to_the_terminal() {
    let ran = record(&[], &line("run-1", "RunStarted", 0, r#","\u001b[2Jx":1"#));
    assert_eq!(ran.code, 1);
    assert!(!ran.err.contains('\u{1b}'), "{}", ran.err);
}

#[test]
fn a_run_seq_that_does_not_fit_is_a_bad_line() {
    let input = [
        line("run-1", "RunStarted", 0, r#","run_seq":1"#),
        line("run-1", "RunPaused", 1, r#","run_seq":3"#),
        line("run-1", "RunPaused", 1, r#","run_seq":2"#),
    ];
    let ran = record(&[], &input.concat());
    assert_eq!(ran.code, 1);
    assert!(
        ran.out.contains("2 appended, 0 duplicates, 1 rejected"),
        "{}",
        ran.out
    );
    assert_eq!(
        ran.err,
        "line 2: run_seq 3 found, expected 2: the log of run t/run-1 ends at 1\n"
    );
}

#[test]
fn other_metadata_is_a_bad_line() {
    let other = line("run-1", "RunPaused", 1, "").replace("\"shop\"", "\"shed\"");
    let ran = record(&[], &(line("run-1", "RunStarted", 0, "") + &other));
    assert_eq!(ran.code, 1);
    assert_eq!(
        ran.err,
        "line 2: project_id \"shed\" found, expected \"shop\": run t/run-1 keeps the metadata it began with\n"
    );
}

#[test]
fn line_ends_and_byte_order_marks_do_not_matter() {
    let plain = small_run();
    let windows = format!("\u{feff}{}", plain.replace('\n', "\r\n"));
    let cut = plain.trim_end();
    for input in [&plain, &windows, cut] {
        let ran = record(&[], input);
        assert_eq!(ran.code, 0, "{ran:?}");
        assert!(
            ran.out.contains("6 appended, 0 duplicates, 0 rejected"),
            "{}",
            ran.out
        );
    }
}

#[test]
fn a_line_that_is_too_long_is_passed_over() {
    let long = line(
        "run-1",
        "RunPaused",
        1,
        &format!(r#","payload":"{}""#, "x".repeat(9_000_000)),
    );
    let input = [
        line("run-1", "RunStarted", 0, ""),
        long,
        line("run-1", "RunFailed", 2, ""),
    ]
    .concat();
    let ran = record(&[], &input);
    assert_eq!(ran.code, 1);
    assert!(
        ran.out.contains("2 appended, 0 duplicates, 1 rejected"),
        "{}",
        ran.out
    );
    assert!(ran.err.starts_with("line 2: line has 9000"), "{}", ran.err);
    assert!(ran.err.contains("bytes: at most"), "{}", ran.err);
}

#[test]
fn bytes_that_are_no_text_are_a_bad_line() {
    let mut input = line("run-1", "RunStarted", 0, "").into_bytes();
    input.extend(b"\xff\xfe\n");
    let ran = dvt_with(&["record", "-"], &input);
    assert_eq!(ran.code, 1);
    assert_eq!(ran.err, "line 2: line is not UTF-8 at byte 0\n");
}

#[test]
fn a_shown_run_is_drawn_to_scale() {
    let ran = record(
        &["--show"],
        &(small_run()
            + &line("run-1", "RunFailed", 10, "")
            + &line("run-1", "RunFailed", 10, r#","occurrence":2"#)),
    );
    assert_eq!(ran.code, 0, "{ran:?}");
    let shown = |text: &str| assert!(ran.out.contains(text), "{text:?} in\n{}", ran.out);
    shown("run run-1  Failed");
    shown("duration     10.00 s");
    shown("1 completed, 1 running");
    shown("chain        2 steps, 8.00 s of work (inferred from times)");
    shown("anomaly");
    shown("event 8: RunFailed is illegal in a run that is Failed");
    // Ten seconds are 66 columns: 1 s to 3 s touches the columns from 6.6 to 19.8, 4 s to 8 s those from 26.4 to 52.8.
    let bars = format!("{}✗{}{}", "▓".repeat(13), "╌".repeat(6), "█".repeat(27));
    shown(&format!(
        "◆✓ load   ×2   +1.00 s    6.00 s │{}{bars}\n",
        " ".repeat(6)
    ));
    let running = format!("{}▶", "░".repeat(13));
    shown(&format!(
        "◆▶ report      +8.00 s    2.00 s │{}{running}\n",
        " ".repeat(52)
    ));
    assert!(
        ran.out.lines().all(|row| row.chars().count() <= 100),
        "{}",
        ran.out
    );
    assert!(!ran.out.contains('\u{1b}'), "no colours without a terminal");
}

#[test]
fn of_many_runs_the_last_are_shown() {
    let input: String = (0..30)
        .map(|number| line(&format!("run-{number}"), "RunStarted", 0, ""))
        .collect();
    let ran = record(&["--show"], &input);
    assert_eq!(ran.code, 0);
    assert!(
        ran.out
            .starts_with("showing the last 20 runs; 10 before them are not shown\n"),
        "{}",
        ran.out
    );
    assert!(ran.out.contains("run run-29") && !ran.out.contains("run run-9 "));
}

#[test]
fn wrong_command_lines_and_inputs_have_their_codes() {
    assert_eq!(dvt(&["record"]).code, 2);
    assert_eq!(dvt(&["record", "-", "--format", "xml"]).code, 2);
    let misplaced = dvt(&["record", "-", "--tenant", "t"]);
    assert_eq!(misplaced.code, 2);
    assert!(
        misplaced.err.contains("--tenant is for --format dbt"),
        "{}",
        misplaced.err
    );
    assert_eq!(
        dvt(&["record", "-", "--format", "dbt", "--tenant", "a|b"]).code,
        2
    );
    let missing = dvt(&["record", "/no/such/file"]);
    assert_eq!(missing.code, 3);
    assert!(
        missing
            .err
            .starts_with("error: cannot read /no/such/file: "),
        "{}",
        missing.err
    );
    let directory = dvt(&["record", env!("CARGO_MANIFEST_DIR")]);
    assert_eq!(directory.code, 3);
    assert!(
        directory.err.contains("found a directory"),
        "{}",
        directory.err
    );
}

#[test]
fn the_help_documents_the_exit_codes() {
    for args in [&["--help"][..], &["record", "--help"]] {
        let help = dvt(args);
        assert_eq!(help.code, 0);
        for code in [
            "0  done",
            "1  some input",
            "2  the command",
            "3  the input",
            "4  the store",
            "5  the output",
            "6  the run",
        ] {
            assert!(help.out.contains(code), "{code} in\n{}", help.out);
        }
    }
    assert_eq!(
        dvt(&["--version"]).out,
        concat!("dvt ", env!("CARGO_PKG_VERSION"), "\n")
    );
}

#[test]
fn strict_takes_a_run_up_to_its_first_illegal_event() {
    let input = [
        line("run-1", "RunStarted", 0, ""),
        line("run-1", "RunCompleted", 1, ""),
        line("run-1", "StepStarted", 2, r#","step_id":"late""#),
        line("run-1", "Note", 3, ""),
        line("run-2", "RunStarted", 4, ""),
    ]
    .concat();

    let ran = record(&["--strict"], &input);

    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(
        ran.out
            .starts_with("2 runs: 3 appended, 0 duplicates, 2 rejected\n"),
        "{}",
        ran.out
    );
    assert_eq!(
        ran.err,
        "line 3: run t/run-1: StepStarted of step \"late\" is illegal in a run that is Completed: \
         it is legal from Running, Paused\n\
         line 4: an event of run t/run-1 before it was refused, so nothing after that is taken\n"
    );
    // Without it all of it is what happened.
    let ran = record(&[], &input);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.out.contains("5 appended, 0 duplicates, 0 rejected"));
}
