//! Recording into a store under faults: each line is an event once, in the order of the input, whatever fails.

use std::collections::BTreeMap;

use dvt_adapter_memory::MemoryStore;
use dvt_conformance::faults::{Fault, FaultCounts, FaultPlan, FaultStore, seeds};
use dvt_contracts::*;

use super::*;
use crate::stop::Stop;

/// How many seeds are played.
const SEEDS: u64 = 40;
/// Each bug must be found within so many.
const BUDGET: u64 = 10;
const INPUTS: u32 = 10;
const LINES: u32 = 24;
const RUNS: u32 = 4;

/// What is done about an error that passes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Habit {
    /// The recorder asks again by itself, as with `--follow`.
    Patience,
    /// The command is repeated.
    Repeat,
    /// Wrong: the command is repeated with keys of its own.
    RepeatWithNewKeys,
    /// Wrong: what was sent is taken for recorded.
    GoOn,
}

/// The run and the number of a line, counted over all inputs.
fn place(number: u32) -> (RunKey, u32) {
    let run = format!("r{}", number % RUNS);
    let run = RunKey::new("t".parse().unwrap(), run.parse().unwrap());
    (run, number / RUNS + 1)
}

fn key(number: u32, again: &str) -> String {
    format!("key {number}{again}")
}

/// A line; of one of the runs each says where it stands.
fn line(number: u32, again: &str) -> String {
    let (run, run_seq) = place(number);
    let run_id = run.run_id.as_str();
    let more = match number % RUNS {
        0 => format!(r#","run_seq":{run_seq}"#),
        1 => format!(
            r#","provider_ref":{{"provider":"p","workflow_id":"{}"}}"#,
            number / 7
        ),
        _ => String::new(),
    };
    format!(
        r#"{{"tenant_id":"t","project_id":"p","environment_id":"e","run_id":"{run_id}","plan_id":"plan","plan_version":"1","event_type":"Custom","emitted_at":"2026-01-02T03:04:05Z","idempotency_key":"{}","payload":{number}{more}}}"#,
        key(number, again)
    )
}

/// Records one input, over and over if that is the habit.
async fn record_one(store: &FaultStore<MemoryStore>, input: u32, habit: Habit) {
    for attempt in 0..1_000 {
        let again = match habit {
            Habit::RepeatWithNewKeys if attempt > 0 => format!(" of attempt {attempt}"),
            _ => String::new(),
        };
        let numbers = input * LINES..(input + 1) * LINES;
        let text: Vec<_> = numbers.map(|number| line(number, &again)).collect();
        let stream = std::io::Cursor::new(text.join("\n"));
        let input = Input {
            name: "test".into(),
            size: None,
            stream,
        };
        let patience = match habit {
            Habit::Patience => Patience::Until(Stop::never()),
            _ => Patience::None,
        };
        let (mut tally, mut page) = (Tally::default(), Page::to_file(io::sink()));
        let reader = &mut NdjsonReader::default();
        let recorded = record(input, reader, store, &mut page, &mut tally, patience).await;
        match recorded {
            Ok(()) if matches!(habit, Habit::RepeatWithNewKeys | Habit::GoOn) => return,
            Ok(()) => {
                let told = (
                    tally.rejected,
                    tally.differing,
                    tally.appended + tally.duplicates,
                );
                assert_eq!(told, (0, 0, u64::from(LINES)));
                return;
            }
            Err(failure) => assert_eq!(failure.exit().code(), 4, "{failure}"),
        }
        assert!(habit != Habit::Patience, "it asks until there is an answer");
        if habit == Habit::GoOn {
            return;
        }
    }
    panic!("a thousand attempts");
}

/// Records all inputs, and holds the logs against them.
async fn play(seed: u64, habit: Habit) -> Result<FaultCounts, String> {
    let memory = MemoryStore::new();
    let store = FaultStore::new(memory.clone(), FaultPlan::new(seed));
    for input in 0..INPUTS {
        record_one(&store, input, habit).await;
    }
    let mut expected: BTreeMap<RunKey, Vec<(u64, String, String)>> = BTreeMap::new();
    for number in 0..INPUTS * LINES {
        let (run, run_seq) = place(number);
        let event = (u64::from(run_seq), key(number, ""), number.to_string());
        expected.entry(run).or_default().push(event);
    }
    for (run, expected) in expected {
        // All of a run may be missing, itself among it.
        let page = memory.list_events(&run, 0, MAX_PAGE).await;
        let page = page.map_err(|error| format!("run {run}: {error}"))?;
        let found: Vec<_> = page
            .events
            .iter()
            .map(|RunEvent { run_seq, event, .. }| {
                let key = event.idempotency_key().to_string();
                (*run_seq, key, event.payload().as_str().to_owned())
            })
            .collect();
        if found != expected {
            return Err(format!("run {run}: expected {expected:?}, found {found:?}"));
        }
    }
    let (run, _) = place(1);
    let last = memory.get_run(&run).await;
    let last = last.map_err(|error| error.to_string())?.provider_ref;
    let expected = ((INPUTS * LINES - 3) / 7).to_string();
    if last.as_ref().map(ProviderRef::workflow_id) != Some(expected.as_str()) {
        return Err(format!("expected workflow {expected}, found {last:?}"));
    }
    Ok(store.faults().counts())
}

#[tokio::test(start_paused = true)]
async fn every_line_is_an_event_once_whatever_fails() {
    for habit in [Habit::Patience, Habit::Repeat] {
        let (mut sum, mut played) = (FaultCounts::default(), 0);
        for seed in seeds(SEEDS) {
            match play(seed, habit).await {
                Ok(counts) => sum = sum.and(&counts),
                Err(failure) => panic!("DVT_FAULTS_SEED={seed} {habit:?}: {failure}"),
            }
            played += 1;
        }
        println!("{habit:?}: {played} seeds, {sum}");
        for fault in Fault::OF_STORES {
            assert!(sum.of(fault) >= played, "void: {fault}: {sum}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn wrong_habits_are_noticed() {
    for habit in [Habit::RepeatWithNewKeys, Habit::GoOn] {
        let mut found = 0;
        for seed in 1..=BUDGET {
            found += u64::from(play(seed, habit).await.is_err());
        }
        println!("{habit:?}: noticed in {found} of {BUDGET}");
        assert!(found > 0, "{habit:?}");
    }
}
