//! `dvt outbox`.

use std::num::NonZeroU32;
use std::time::Duration;

use dvt_adapter_postgres::{PostgresSettings, PostgresStore};
use dvt_contracts::{ClaimRequest, OutboxStorage as _, RetryPolicy, SafeText};

use crate::database::{Database, Ran};
use crate::same_as_memory::{EVENTS, record};

/// Runs `dvt outbox` as `ada`.
fn outbox(database: &Database, args: &[&str]) -> Ran {
    let mut command = database.command(&[&["outbox"], args].concat());
    command.env("DVT_OPERATOR", "ada").output().unwrap().into()
}

fn done(database: &Database, args: &[&str]) -> Ran {
    outbox(database, args).done()
}

fn status(database: &Database) -> serde_json::Value {
    done(database, &["status", "--json"]).json()
}

/// Claims the only run that is due, and gives its event `seq` up after one attempt.
fn dies(database: &Database, seq: u64, error: &str) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let settings = PostgresSettings::from_url(database.url())
        .unwrap()
        .with_schema(database.schema.parse().unwrap());
    let second = Duration::from_secs(1);
    let once = RetryPolicy::new(NonZeroU32::MIN, second, second).unwrap();
    let request = ClaimRequest {
        max_runs: 1,
        max_events_per_run: 100,
        max_bytes: u64::MAX,
        lease: Duration::from_secs(60),
    };
    runtime.block_on(async {
        let store = PostgresStore::connect(settings).await.unwrap();
        let claimed = store.claim(&request).await.unwrap();
        let error = SafeText::from(error);
        let failed = store.mark_failed(&claimed[0].lease, seq, &error, &once);
        failed.await.unwrap();
    });
}

/// The id of the only run.
fn recorded(database: &Database) -> String {
    record(database, &[]);
    let run = database.dvt(&["runs", "--json"]).done().json();
    run["run_id"].as_str().unwrap().to_owned()
}

pub(crate) fn a_dead_event_is_retried_then_skipped_and_the_rest_goes_out(database: &Database) {
    let run = recorded(database);
    dies(database, 3, "\u{1b}[2J400\nno such day");

    let listed = done(database, &["dead-letters", "--open"]);
    let expected = format!("default\t{run}\t1\t3\t1\tattempts_exhausted\topen\t");
    assert!(listed.out.starts_with(&expected), "{listed:?}");
    assert!(
        listed.out.ends_with("\t\u{fffd}[2J400 no such day\n"),
        "{listed:?}"
    );
    let parked = done(database, &["status", "--runs", "--json"]).json();
    assert_eq!(
        (
            &parked["state"],
            &parked["dead_letter_no"],
            &parked["delivered_seq"]
        ),
        (&"parked".into(), &1.into(), &2.into())
    );

    let retry = ["retry", &run, "--reason", "fixed", "--json"];
    let retried = done(database, &retry).json();
    assert_eq!(
        (
            &retried["state"],
            &retried["resolution"]["by"],
            &retried["resolution"]["reason"]
        ),
        (&"retried".into(), &"ada".into(), &"fixed".into())
    );
    assert_eq!(done(database, &retry).json(), retried);

    dies(database, 3, "400 again");
    let skip = [
        "skip",
        &run,
        "--no",
        "2",
        "--reason",
        "never valid",
        "--json",
    ];
    let skipped = done(database, &skip).json();
    assert_eq!(
        (&skipped["state"], &skipped["run_seq"], &skipped["error"]),
        (&"skipped".into(), &3.into(), &"400 again".into())
    );
    assert_eq!(done(database, &skip).json(), skipped);

    let letters = done(
        database,
        &[
            "dead-letters",
            "--tenant",
            "default",
            "--run",
            &run,
            "--json",
        ],
    );
    assert_eq!(letters.json_lines(), [retried, skipped]);
    let drained = database.dvt(&["drain"]).done();
    let first = drained.json_lines()[0]["run_seq"].as_u64().unwrap();
    assert_eq!((first, drained.out.lines().count() as u64), (4, EVENTS - 3));
    let status = status(database);
    assert_eq!(
        (
            &status["pending_events"],
            &status["dead_letters"],
            &status["skipped_events"]
        ),
        (&0.into(), &2.into(), &1.into())
    );
}

pub(crate) fn a_parked_run_waits_for_its_operator(database: &Database) {
    let run = recorded(database);
    let park = ["park", &run, "--reason", "floods us", "--json"];
    let parked = done(database, &park).json();
    assert_eq!(
        (&parked["state"], &parked["cause"], &parked["error"]),
        (
            &"open".into(),
            &"parked_by_operator".into(),
            &"ada: floods us".into()
        )
    );
    assert_eq!(done(database, &park).json(), parked);
    let nothing = database.dvt(&["drain"]).done();
    assert_eq!(nothing.err, "nothing is due: 1 run parked\n");
    assert_eq!(status(database)["parked_runs"], 1);

    let words = done(database, &["retry", "--all"]);
    assert_eq!(words.out, "1 dead letter retried\n");
    let drained = database.dvt(&["drain"]).done();
    assert_eq!(drained.out.lines().count() as u64, EVENTS);
    let refused = outbox(database, &park);
    assert_eq!(refused.code, 4, "{refused:?}");
    assert!(refused.err.contains("nothing to park"), "{refused:?}");
}

pub(crate) fn the_destination_moves_once(database: &Database) {
    record(database, &[]);
    let retarget = |from: &str| {
        outbox(
            database,
            &[
                "retarget", "--from", from, "--to", "bus", "--reason", "r", "--json",
            ],
        )
    };
    assert_eq!(retarget("stdout:").code, 4, "nothing is bound yet");
    database.dvt(&["drain"]).done();

    let moved = retarget("stdout:").done().json();
    assert_eq!(
        (&moved["destination"], &moved["last_retarget"]["by"]),
        (&"bus".into(), &"ada".into())
    );
    assert_eq!(retarget("stdout:").done().json(), moved);
    assert_eq!(status(database)["last_retarget"], moved["last_retarget"]);
    let refused = database.dvt(&["drain"]);
    assert_eq!(refused.code, 4, "{refused:?}");
    let remedy = "dvt outbox retarget --from bus --to 'stdout:' --reason TEXT";
    assert!(refused.err.contains(remedy), "{refused:?}");
}

pub(crate) fn what_is_not_there_is_told_apart_from_what_does_not_fit(database: &Database) {
    let run = recorded(database);
    let code = |args: &[&str]| {
        let Ran { code, out, err } = outbox(database, args);
        assert!(out.is_empty() && err.starts_with("error: "), "{out} {err}");
        code
    };
    assert_eq!(code(&["retry", "no-such-run"]), 6);
    assert_eq!(code(&["retry", &run]), 6);
    assert_eq!(code(&["retry", &run, "--tenant", "other"]), 6);
    assert_eq!(code(&["skip", &run, "--no", "1", "--reason", "r"]), 6);
    assert_eq!(code(&["park", "no-such-run", "--reason", "r"]), 6);
    dies(database, 1, "400");
    done(database, &["retry", &run]);
    assert_eq!(code(&["skip", &run, "--no", "1", "--reason", "r"]), 4);
    assert_eq!(code(&["skip", &run, "--reason", "r"]), 2);
}

pub(crate) fn somebody_must_be_named(database: &Database) {
    let park = ["outbox", "park", "r", "--reason", "r"];
    let nobody = database.dvt(&park);
    assert_eq!(nobody.code, 2, "{nobody:?}");
    assert!(nobody.err.contains("--by NAME"), "{nobody:?}");
    for name in ["DVT_OPERATOR", "USER", "LOGNAME"] {
        let named = database.command(&park).env(name, "ada").output().unwrap();
        assert_eq!(Ran::from(named).code, 6, "{name}");
    }
}
