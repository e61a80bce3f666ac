//! `kill -9` of a recording at any moment, and the recording after it.

use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::common::{command_in, dvt_in, line};

/// How many recordings are killed.
const KILLS: u32 = 200;
/// How many of them hit the same file before one may finish.
const KILLS_PER_FILE: u32 = 5;
const RUNS: u64 = 4;
const EVENTS_PER_RUN: u64 = 250;

/// Repeatable spread (SplitMix64, <https://prng.di.unimi.it/splitmix64.c>).
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
    }
}

fn input() -> String {
    let mut lines = String::new();
    for number in 0..EVENTS_PER_RUN {
        for run in 0..RUNS {
            let more = format!(
                r#","idempotency_key":"k{number}","payload":{{"number":{number},"text":"{}"}}"#,
                "x".repeat(200)
            );
            lines += &line(&format!("run-{run}"), "Noted", 7, &more);
        }
    }
    lines
}

fn exported(folder: &Path) -> String {
    let exported = dvt_in(folder, &["export"]);
    assert_eq!((exported.code, exported.err.as_str()), (0, ""));
    exported.out
}

/// Records and kills the recording after a while. Whether it was still under way.
fn killed(folder: &Path, events: &str, after: Duration) -> bool {
    let mut child = command_in(folder, &["record", events])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    std::thread::sleep(after);
    child.kill().unwrap();
    child.wait().unwrap().code().is_none()
}

#[test]
fn killed_at_200_moments_a_recording_that_is_repeated_equals_an_undisturbed_one() {
    let inputs = tempfile::tempdir().unwrap();
    let events = inputs.path().join("events.ndjson");
    std::fs::write(&events, input()).unwrap();
    let events = events.to_str().unwrap();
    let undisturbed = tempfile::tempdir().unwrap();
    let begun = Instant::now();
    assert_eq!(dvt_in(undisturbed.path(), &["record", events]).code, 0);
    let mut took = u64::try_from(begun.elapsed().as_micros()).unwrap();
    let expected = exported(undisturbed.path());
    assert_eq!(expected.lines().count() as u64, RUNS * EVENTS_PER_RUN);

    let seed = 20_261_123;
    println!("seed {seed}, an undisturbed recording takes {took} µs");
    let mut dice = Dice(seed);
    let (mut kills, mut in_between) = (0, 0);
    while kills < KILLS {
        let folder = tempfile::tempdir().unwrap();
        let mut hits = 0;
        while hits < KILLS_PER_FILE && kills < KILLS {
            let after = Duration::from_micros(dice.below(took));
            let hit = killed(folder.path(), events, after);
            hits += u32::from(hit);
            kills += u32::from(hit);
            if !hit {
                // Faster than the first one, which may have shared the machine: a kill is to come before the end.
                took = (took * 7 / 8).max(1_000);
                break;
            }
            took += took / 32;
        }
        let runs = dvt_in(folder.path(), &["runs", "--json"]);
        let there = runs.out.lines().count() as u64;
        let again = dvt_in(folder.path(), &["record", events, "--json"]).json();
        let duplicates = again["duplicates"].as_u64().unwrap();
        in_between += u32::from(there > 0 && duplicates < RUNS * EVENTS_PER_RUN);
        assert_eq!(again["rejected"], 0, "{again}");
        assert_eq!(
            again["appended"].as_u64().unwrap() + duplicates,
            RUNS * EVENTS_PER_RUN
        );
        assert_eq!(exported(folder.path()), expected);
    }
    println!("{kills} kills, {in_between} files that a kill left half recorded");
    assert!(
        in_between >= 5,
        "only {in_between} files were half recorded"
    );
}
