//! Input that takes its time: `dvt record -` from a pipe, and `dvt record --follow` of a file that grows.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::common::{Ran, command_in, dvt_in, line};
use crate::kept::Kept;

/// However slow the machine is.
const PATIENCE: Duration = Duration::from_secs(60);

fn spawned(folder: &Path, args: &[&str]) -> Kept {
    let child = command_in(folder, args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    Kept::new(child.unwrap())
}

fn note(number: u32) -> String {
    line(
        "a",
        "Noted",
        1,
        &format!(r#","idempotency_key":"{number}""#),
    )
}

/// Waits until the store has so many events of the run.
fn recorded(folder: &Path, head: u64) {
    let begun = Instant::now();
    loop {
        let run = dvt_in(folder, &["runs", "--json"]);
        if run.code == 0 && !run.out.is_empty() && run.json()["head"] == head {
            return;
        }
        assert!(begun.elapsed() < PATIENCE, "{head} not found: {run:?}");
    }
}

fn interrupted(mut kept: Kept) -> Ran {
    kept.interrupt();
    kept.output().into()
}

#[test]
fn what_comes_through_a_pipe_is_recorded_as_it_comes() {
    let folder = tempfile::tempdir().unwrap();
    let mut recording = spawned(folder.path(), &["record", "-", "--json"]);
    let mut pipe = recording.child().stdin.take().unwrap();

    // The beginning of a line is no reason to wait with those before it.
    let (begin, rest) = (&note(2)[..20], &note(2)[20..]);
    pipe.write_all((note(1) + begin).as_bytes()).unwrap();
    recorded(folder.path(), 1);
    pipe.write_all(rest.as_bytes()).unwrap();
    recorded(folder.path(), 2);
    drop(pipe);

    let ran = Ran::from(recording.output());
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(ran.json()["appended"], 2);
}

#[test]
fn a_file_that_grows_is_followed_until_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("growing");
    let mut file = File::create(&path).unwrap();
    file.write_all(note(1).as_bytes()).unwrap();
    let following = spawned(folder.path(), &["record", "growing", "--follow", "--json"]);

    recorded(folder.path(), 1);
    let (begin, rest) = (&note(2)[..20], &note(2)[20..]);
    file.write_all(begin.as_bytes()).unwrap();
    file.write_all(rest.as_bytes()).unwrap();
    recorded(folder.path(), 2);
    file.write_all((note(3) + "half a line").as_bytes())
        .unwrap();
    recorded(folder.path(), 3);

    let ran = interrupted(following);
    assert_eq!(ran.code, 0, "{ran:?}");
    let summary = ran.json();
    assert_eq!(
        (&summary["appended"], &summary["rejected"]),
        (&3.into(), &0.into())
    );
    assert_eq!(ran.err, "");
}

#[test]
fn a_file_that_is_emptied_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("growing");
    std::fs::write(&path, note(1)).unwrap();
    let following = spawned(folder.path(), &["record", "growing", "--follow"]);
    recorded(folder.path(), 1);

    OpenOptions::new()
        .write(true)
        .truncate(true)
        .open(&path)
        .unwrap();

    let ran = Ran::from(following.output());
    assert_eq!(ran.code, 3, "{ran:?}");
    assert!(ran.err.contains("it became shorter"), "{}", ran.err);
}

/// dbt's own log, as it is written: the bytes of a real run in pieces that end anywhere.
#[test]
fn a_growing_dbt_log_gives_what_the_whole_one_gives() {
    let log = include_bytes!("../../demo/dbt-build.jsonl");
    let whole = tempfile::tempdir().unwrap();
    std::fs::write(whole.path().join("dbt.log"), log).unwrap();
    let args = ["record", "dbt.log", "--format", "dbt"];
    assert_eq!(dvt_in(whole.path(), &args).code, 0);
    let expected = dvt_in(whole.path(), &["export"]).out;
    let events = expected.lines().count() as u64;

    let folder = tempfile::tempdir().unwrap();
    let mut file = File::create(folder.path().join("dbt.log")).unwrap();
    let mut following = spawned(folder.path(), &[&args[..], &["--follow"]].concat());
    for piece in log.chunks(7_919) {
        file.write_all(piece).unwrap();
    }
    recorded(folder.path(), events);

    assert!(
        following.child().try_wait().unwrap().is_none(),
        "it goes on"
    );
    let ran = interrupted(following);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(dvt_in(folder.path(), &["export"]).out == expected);
}
