//! What every command prints, with `--json` and when it fails: `snapshots/COMMAND.{text,json,failure}.snap`.
//!
//! `INSTA_UPDATE=always cargo test -p dvt-cli --test cli every_command` writes them anew, to be looked at before they are committed.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::common::{Ran, dvt_in};

/// Commands that print one thing and no other, with the reason.
const ONE_FORM: [(&str, &str); 6] = [
    (
        "migrate",
        "--json needs PostgreSQL: tests/postgres/migrate.rs",
    ),
    ("drain", "NDJSON is all that it prints"),
    ("export", "NDJSON is all that it prints"),
    ("completions", "for a shell"),
    ("man", "for man"),
    ("doctor", "needs PostgreSQL: tests/postgres/doctor.rs"),
];

/// A folder with a store: `t/a` completed in two attempts of a step, `t/b` failed, `t/c` running, all undelivered.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let lines = [
        event("a", "RunStarted", 0, ""),
        event("a", "StepStarted", 1, r#","step_id":"load""#),
        event(
            "a",
            "StepFailed",
            3,
            r#","step_id":"load","payload":{"why":"disk"}"#,
        ),
        event(
            "a",
            "StepStarted",
            4,
            r#","step_id":"load","logical_attempt":2"#,
        ),
        event(
            "a",
            "StepCompleted",
            8,
            r#","step_id":"load","logical_attempt":2"#,
        ),
        event("a", "StepSkipped", 9, r#","step_id":"report""#),
        event("a", "RunCompleted", 9, ""),
        event("b", "RunStarted", 0, ""),
        event("b", "StepStarted", 1, r#","step_id":"load""#),
        event("b", "StepFailed", 2, r#","step_id":"load""#),
        event("b", "RunFailed", 5, ""),
        event(
            "c",
            "RunStarted",
            0,
            r#","provider_ref":{"provider":"temporal","workflow_id":"w"}"#,
        ),
    ];
    std::fs::write(folder.path().join("events"), lines.concat()).unwrap();
    let late = event("c", "Noted", 7, r#","payload":{"late":true}"#);
    std::fs::write(folder.path().join("late"), late).unwrap();
    done(folder.path(), &["record", "events"]);
    folder
}

/// All of these moments lie in the year 2001, which no store's clock says.
fn event(run: &str, event_type: &str, second: u32, more: &str) -> String {
    format!(
        r#"{{"tenant_id":"t","project_id":"shop","environment_id":"dev","run_id":"{run}","plan_id":"nightly","plan_version":"1","event_type":"{event_type}","emitted_at":"2001-02-03T04:05:{second:02}Z"{more}}}"#
    ) + "\n"
}

fn done(folder: &Path, args: &[&str]) {
    let ran = dvt_in(folder, args);
    assert_eq!(ran.code, 0, "{ran:?}");
}

/// Compares what was printed with the snapshot of that name.
fn snapshot(name: &str, args: &[&str], ran: &Ran) {
    let told = format!(
        "$ dvt {}\n{}--- standard error\n{}--- exit code {}\n",
        args.join(" "),
        ran.out,
        ran.err,
        ran.code
    );
    insta::with_settings!({
        snapshot_path => "snapshots",
        prepend_module_to_snapshot => false,
        omit_expression => true,
        filters => [
            // What the store's clock says.
            (r"20[2-9]\d-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", "[NOW]"),
            (r#""oldest_pending_age_seconds":[0-9.e-]+"#, r#""oldest_pending_age_seconds":[AGE]"#),
            (r"oldest_pending_age_seconds\t[0-9.e-]+", "oldest_pending_age_seconds\t[AGE]"),
        ],
    }, {
        insta::assert_snapshot!(name, told);
    });
}

/// The three answers of a command, each in a store as it was.
fn answers(name: &str, prepare: &[&[&str]], text: &[&str], failure: &[&str]) {
    let json = [text, &["--json"]].concat();
    for (form, args) in [("text", text), ("json", &json), ("failure", failure)] {
        let is_one_form = ONE_FORM.iter().any(|(only, _)| *only == name);
        if form == "json" && is_one_form {
            continue;
        }
        let folder = folder();
        prepare.iter().for_each(|args| done(folder.path(), args));
        let ran = dvt_in(folder.path(), args);
        assert_eq!(ran.code == 0, form != "failure", "{ran:?}");
        snapshot(&format!("{name}.{form}"), args, &ran);
    }
}

/// Somebody stopped the deliveries of `t/b`.
const PARK: &[&str] = &[
    "outbox",
    "park",
    "b",
    "--tenant",
    "t",
    "--reason",
    "looked into",
    "--by",
    "ann",
];

#[test]
fn record() {
    answers(
        "record",
        &[],
        &["record", "events"],
        &["record", "no-such-file"],
    );
}

#[test]
fn runs() {
    answers("runs", &[], &["runs"], &["runs", "--status", "Done"]);
}

#[test]
fn runs_counted() {
    answers(
        "runs-count",
        &[],
        &["runs", "--count"],
        &["runs", "--count", "--all"],
    );
}

#[test]
fn show() {
    answers("show", &[], &["show", "a", "--tenant", "t"], &["show", "z"]);
}

#[test]
fn events() {
    answers(
        "events",
        &[],
        &["events", "a", "--tenant", "t"],
        &["events", "z"],
    );
}

#[test]
fn diff() {
    answers(
        "diff",
        &[],
        &["diff", "a", "b", "--tenant", "t"],
        &["diff", "a", "z", "--tenant", "t"],
    );
}

#[test]
fn export() {
    answers(
        "export",
        &[],
        &["export", "a", "c", "--tenant", "t"],
        &["export", "z"],
    );
}

#[test]
fn verify() {
    answers("verify", &[], &["verify"], &["verify", "z"]);
}

#[test]
fn doctor() {
    let folder = folder();
    let args = ["doctor", "--json"];
    snapshot("doctor.failure", &args, &dvt_in(folder.path(), &args));
}

#[test]
fn prune() {
    answers(
        "prune",
        &[&["drain", "--destination", "bus"]],
        &["prune", "--older-than", "0s", "--yes"],
        &["prune", "--older-than", "yesterday"],
    );
}

#[test]
fn relay() {
    answers(
        "relay",
        &[],
        &["relay", "--to", "stdout:", "--once", "--destination", "bus"],
        &["relay", "--to", "carrier-pigeon:", "--once"],
    );
}

#[test]
fn drain() {
    answers(
        "drain",
        &[&["drain", "--destination", "bus"], &["record", "late"]],
        &["drain", "--destination", "bus"],
        &["drain"],
    );
}

#[test]
fn outbox_status() {
    answers(
        "outbox-status",
        &[PARK],
        &["outbox", "status"],
        &["outbox", "status", "--state", "parked"],
    );
}

#[test]
fn outbox_status_of_runs() {
    answers(
        "outbox-status-runs",
        &[PARK],
        &["outbox", "status", "--runs", "--state", "parked"],
        &["outbox", "status", "--runs", "--limit", "0"],
    );
}

#[test]
fn outbox_dead_letters() {
    answers(
        "outbox-dead-letters",
        &[PARK],
        &["outbox", "dead-letters"],
        &["outbox", "dead-letters", "--run", "b"],
    );
}

#[test]
fn outbox_park() {
    let json_too = |run: &'static str| {
        [
            "outbox",
            "park",
            run,
            "--tenant",
            "t",
            "--reason",
            "looked into",
            "--by",
            "ann",
        ]
    };
    answers("outbox-park", &[], &json_too("b"), &json_too("z"));
}

#[test]
fn outbox_retry() {
    let retry = |run: &'static str| ["outbox", "retry", run, "--tenant", "t", "--by", "ann"];
    answers("outbox-retry", &[PARK], &retry("b"), &retry("a"));
}

#[test]
fn outbox_skip() {
    let skip = |no: &'static str| {
        [
            "outbox",
            "skip",
            "b",
            "--tenant",
            "t",
            "--no",
            no,
            "--reason",
            "never valid",
            "--by",
            "ann",
        ]
    };
    answers("outbox-skip", &[PARK], &skip("1"), &skip("2"));
}

#[test]
fn outbox_retarget() {
    let retarget = |from: &'static str| {
        [
            "outbox", "retarget", "--from", from, "--to", "new", "--reason", "moved", "--by", "ann",
        ]
    };
    answers(
        "outbox-retarget",
        &[&["drain", "--destination", "bus"]],
        &retarget("bus"),
        &retarget("another"),
    );
}

#[test]
fn key() {
    let key = |id: &'static str| {
        [
            "key",
            "--run-id",
            id,
            "--plan-id",
            "nightly",
            "--plan-version",
            "1",
            "--event-type",
            "RunStarted",
        ]
    };
    answers("key", &[], &key("a"), &key("a|b"));
}

#[test]
fn migrate() {
    let folder = folder();
    for (form, args) in [
        ("text", &["migrate", "--dump-sql", "--schema", "shop"][..]),
        ("failure", &["migrate"]),
    ] {
        let mut ran = dvt_in(folder.path(), args);
        // What follows is the migrations themselves.
        let begin = ran.out.lines().take(12).collect::<Vec<_>>().join("\n");
        ran.out = begin + "\n";
        snapshot(&format!("migrate.{form}"), args, &ran);
    }
}

#[test]
fn demo() {
    let folder = tempfile::tempdir().unwrap();
    for (form, args) in [
        ("text", &["demo"][..]),
        ("json", &["demo", "--json"]),
        ("failure", &["demo", "now"]),
    ] {
        let mut ran = dvt_in(folder.path(), args);
        let program = env!("CARGO_BIN_EXE_dvt");
        ran.out = ran.out.replace(program, "dvt");
        snapshot(&format!("demo.{form}"), args, &ran);
    }
}

#[test]
fn completions() {
    let folder = folder();
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let ran = dvt_in(folder.path(), &["completions", shell]);
        assert_eq!((ran.code, ran.err.as_str()), (0, ""));
        for command in commands(folder.path()) {
            let word = command.rsplit('-').next().unwrap();
            assert!(ran.out.contains(word), "{shell} lacks {command}");
        }
    }
    let args = ["completions", "abacus"];
    snapshot("completions.failure", &args, &dvt_in(folder.path(), &args));
}

#[test]
fn man() {
    let folder = folder();
    let args = ["man", "--to", "."];
    let ran = dvt_in(folder.path(), &args);
    snapshot("man.text", &args, &ran);
    for page in ran.out.lines() {
        let text = std::fs::read_to_string(folder.path().join(page)).unwrap();
        assert!(text.contains(".SH SYNOPSIS"), "{page}");
    }
    let main = dvt_in(folder.path(), &["man"]);
    assert_eq!(
        main.out,
        std::fs::read_to_string(folder.path().join("dvt.1")).unwrap()
    );
    let args = ["man", "--to", "no-such-folder"];
    snapshot("man.failure", &args, &dvt_in(folder.path(), &args));
}

/// The commands that `--help` lists, those of `outbox` as `outbox-…`.
fn commands(folder: &Path) -> BTreeSet<String> {
    let listed = |args: &[&str]| -> Vec<String> {
        let help = dvt_in(folder, args).out;
        let list = help.split("Commands:\n").nth(1).unwrap();
        let list = list.split("\n\n").next().unwrap();
        let names = list
            .lines()
            .filter_map(|line| line.strip_prefix("  ")?.split(' ').next());
        names
            .filter(|name| !name.is_empty() && *name != "help")
            .map(str::to_owned)
            .collect()
    };
    let mut commands: BTreeSet<_> = listed(&["--help"]).into_iter().collect();
    assert!(commands.remove("outbox"));
    let outbox = listed(&["outbox", "--help"]);
    commands.extend(outbox.into_iter().map(|name| format!("outbox-{name}")));
    commands
}

#[test]
fn no_command_is_left_out() {
    let snapshots = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/cli/snapshots");
    let folder = folder();
    for command in commands(folder.path()) {
        let only = ONE_FORM.iter().find(|(only, _)| *only == command);
        let forms: &[&str] = match only {
            None => &["text", "json", "failure"],
            Some(_) => &["failure"],
        };
        for form in forms {
            let file = snapshots.join(format!("{command}.{form}.snap"));
            assert!(file.is_file(), "{} is missing", file.display());
        }
    }
}
