//! Relays, a store and a sink on one thread and one virtual time, with everything that can go wrong going wrong by the dice of
//! a seed.
//!
//! `DVT_SIM_SEEDS` plays more of them, `DVT_SIM_STEPS` longer ones, and `DVT_SIM_SEED` one alone, told line by line.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a broken fixture must fail the test"
)]

mod audit;
mod book;
mod crew;
mod desk;
mod gate;
mod line;
mod link;
mod planted;
mod play;
mod stage;
mod tally;
mod trace;
mod violation;

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use planted::Bug;
use play::{Ending, Script, play};
use tally::Tally;
use violation::Invariant;

const SEEDS: u64 = 200;
const STEPS: u32 = 1_000;

/// What must happen often in that many seeds, lest they prove nothing.
const HAPPENS: [&str; 24] = [
    "appends",
    "appends repeated",
    "arrivals",
    "arrivals under an older claim",
    "calls the store refused",
    "charges",
    "claims",
    "claims of a suspect",
    "dead letters retried",
    "events skipped",
    "failures of the sink",
    "jumps of the store's clock",
    "leases given back",
    "leases lengthened",
    "leases lost",
    "outages seen",
    "parked by hand",
    "publishes cut off",
    "relays killed",
    "relays paused",
    "relays stopped",
    "repeated arrivals",
    "replies of the store lost",
    "stale leases",
];

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(
        text.parse()
            .unwrap_or_else(|_| panic!("{variable} is {text}, expected a number")),
    )
}

fn script(seed: u64) -> Script {
    let steps = number("DVT_SIM_STEPS").map_or(STEPS, |steps| steps.try_into().unwrap());
    Script {
        seed,
        steps,
        bug: None,
        keep_lines: false,
    }
}

/// How a play went up to what did not hold, and how to see it again.
fn told(script: Script, ending: &Ending) -> String {
    let Script { seed, steps, .. } = script;
    let again = play(Script {
        keep_lines: true,
        ..script
    });
    let Some(violation) = &ending.violation else {
        return format!("seed {seed} holds");
    };
    let mut lines = again.lines;
    lines.retain(|(at, _)| *at <= violation.at);
    let last = lines.split_off(lines.len().saturating_sub(60));
    format!(
        "{}\n\nseed {seed}, step {}: {violation}\nagain: DVT_SIM_SEED={seed} DVT_SIM_STEPS={steps}",
        written(&last),
        ending.steps,
    )
}

fn written(lines: &[(Duration, String)]) -> String {
    let lines = lines.iter();
    let lines = lines.map(|(at, what)| format!("{:>9.3} s  {what}\n", at.as_secs_f64()));
    lines.collect()
}

#[test]
fn whatever_happens_nothing_is_lost_or_out_of_order() {
    if let Some(seed) = number("DVT_SIM_SEED") {
        let ending = play(Script {
            keep_lines: true,
            ..script(seed)
        });
        println!("{}{}", written(&ending.lines), ending.tally);
        assert_eq!(ending.violation, None);
        return;
    }
    let (seeds, begun_at) = (number("DVT_SIM_SEEDS").unwrap_or(SEEDS), Instant::now());
    let (next, tally) = (AtomicU64::new(1), Mutex::new(Tally::default()));
    let failure = Mutex::new(None);
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, Into::into) {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::SeqCst);
                    if seed > seeds || failure.lock().unwrap().is_some() {
                        return;
                    }
                    let ending = play(script(seed));
                    tally.lock().unwrap().merge(&ending.tally);
                    if ending.violation.is_some() {
                        failure.lock().unwrap().get_or_insert((seed, ending));
                    }
                }
            });
        }
    });
    let tally = tally.into_inner().unwrap();
    println!(
        "{seeds} seeds of {} steps in {:?}: {tally}",
        script(0).steps,
        begun_at.elapsed()
    );
    if let Some((seed, ending)) = failure.into_inner().unwrap() {
        panic!("{}", told(script(seed), &ending));
    }
    for what in HAPPENS {
        assert!(tally.of(what) >= seeds, "{what}: too rare in {seeds} seeds");
    }
}

#[test]
fn the_same_seed_is_the_same_play() {
    let mut hashes = Vec::new();
    for seed in 1..=5 {
        let (once, again) = (play(script(seed)), play(script(seed)));
        assert_eq!(
            (once.hash, &once.tally),
            (again.hash, &again.tally),
            "seed {seed}"
        );
        hashes.push(once.hash);
    }
    hashes.sort_unstable();
    hashes.dedup();
    assert_eq!(hashes.len(), 5, "seeds do not matter");
}

/// Each bug in the relays' surroundings is noticed, and by what.
#[test]
fn planted_bugs_are_caught() {
    use Invariant as I;
    const PLANTED: [(Bug, &[I]); 11] = [
        (Bug::StaleMarkAccepted, &[I::StaleMarksChangeNothing]),
        (Bug::ExtendRevives, &[I::StaleMarksChangeNothing]),
        (Bug::LeaseNotFenced, &[I::OneLease]),
        (Bug::HeadSkipped, &[I::ClaimsFollowTheCursor]),
        (Bug::ChargeForgotten, &[I::Accounting]),
        (Bug::DeadLetterForgotten, &[I::EveryEventHasOnePlace]),
        (Bug::ClaimsRunDry, &[I::DrainsInTime]),
        (Bug::AppendLost, &[I::GaplessLog]),
        (Bug::SinkReorders, &[I::FirstArrivalsInOrder]),
        (Bug::AcknowledgedBeforeSent, &[I::StoredBeforeAcknowledged]),
        (
            Bug::SinkDrops,
            &[I::StoredBeforeAcknowledged, I::FirstArrivalsInOrder],
        ),
    ];
    for (bug, by) in PLANTED {
        let caught = (1..=20).find_map(|seed| {
            let script = Script {
                bug: Some(bug),
                ..script(seed)
            };
            let ending = play(script);
            ending
                .violation
                .map(|violation| (seed, ending.steps, violation))
        });
        let (seed, steps, violation) = caught.unwrap_or_else(|| panic!("{bug:?} is not noticed"));
        println!("{bug:?}: seed {seed}, step {steps}, {violation}");
        assert!(
            by.contains(&violation.invariant),
            "{bug:?} was caught by {violation}"
        );
    }
}
