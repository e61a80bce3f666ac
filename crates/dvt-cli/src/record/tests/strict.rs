//! Recording what the transition table allows, and nothing else.

use std::collections::BTreeMap;

use super::*;

/// What a recording should make of lines, one after another.
#[derive(Debug, Default)]
struct Expected {
    runs: BTreeMap<String, Log>,
    appended: u64,
    duplicates: u64,
    rejected: u64,
}

#[derive(Debug, Default)]
struct Log {
    state: RunState,
    keys: Vec<String>,
    is_barred: bool,
}

impl Expected {
    fn take(&mut self, run: &str, event: &Event) {
        let log = self.runs.entry(run.to_owned()).or_default();
        let key = event.idempotency_key().to_string();
        if log.is_barred {
            self.rejected += 1;
        } else if log.keys.contains(&key) {
            self.duplicates += 1;
        } else if log.state.judge(event).is_err() {
            log.is_barred = true;
            self.rejected += 1;
        } else {
            log.keys.push(key);
            self.appended += 1;
            log.state.fold(&RunEvent {
                run_seq: log.state.last_seq() + 1,
                persisted_at: Timestamp::MIN,
                event: event.clone(),
            });
        }
    }
}

/// Events that are legal where they stand, but for a few; and some of them once more.
struct Events {
    spread: u64,
    number: u64,
    last: Option<(String, Event)>,
}

impl Events {
    fn below(&mut self, bound: u64) -> u64 {
        // SplitMix64.
        self.spread = self.spread.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.spread;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % bound
    }

    fn next(&mut self, expected: &Expected) -> (String, Event) {
        if let Some(last) = self.last.take()
            && self.below(20) == 0
        {
            return last;
        }
        let run = format!("r{}", self.below(6));
        let fresh = RunState::new();
        let state = expected.runs.get(&run).map_or(&fresh, |log| &log.state);
        let may_be_illegal = self.below(600) == 0;
        self.number += 1;
        let event = loop {
            let event = self.proposal();
            if may_be_illegal || state.judge(&event).is_ok() {
                break event;
            }
        };
        self.last = Some((run.clone(), event.clone()));
        (run, event)
    }

    fn proposal(&mut self) -> Event {
        let kinds = [
            EventType::RunStarted,
            EventType::RunPaused,
            EventType::RunResumed,
            EventType::StepStarted,
            EventType::StepCompleted,
            EventType::StepFailed,
            "Note".parse().unwrap(),
        ];
        let kind = kinds[usize::try_from(self.below(7)).unwrap()].clone();
        let step = format!("s{}", self.below(40));
        let step = kind.needs_step().then(|| step.parse().unwrap());
        let key = self.number.to_string().parse().unwrap();
        let attempt = Attempt::new(1 + self.below(50)).unwrap();
        let event = Event::new(kind, step, key, Timestamp::MIN).unwrap();
        event.with_logical_attempt(attempt)
    }
}

fn written(run: &str, event: &Event) -> String {
    let step = event.step_id().map_or(String::new(), |step| {
        format!(r#","step_id":"{}""#, step.as_str())
    });
    let attempt = event.logical_attempt();
    let more = format!(r#"{step},"logical_attempt":{attempt}"#);
    let number = event.idempotency_key().as_str().parse().unwrap();
    line(run, number, &more).replace("Custom", event.event_type().as_str())
}

async fn keys(store: &MemoryStore, run: &str) -> Vec<String> {
    let (mut keys, mut after) = (Vec::new(), 0);
    loop {
        let page = store.list_events(&key(run), after, MAX_PAGE).await.unwrap();
        let events = page.events.iter();
        keys.extend(events.map(|event| event.event.idempotency_key().to_string()));
        if page.is_last(after) {
            return keys;
        }
        after = keys.len() as u64;
    }
}

/// Runs in turns, over several calls, with illegal events at any place: each run is what it was up to its first one, in
/// the order of the input, and a repetition changes nothing.
#[tokio::test]
async fn a_run_is_taken_up_to_its_first_illegal_event() {
    for seed in 1..=6 {
        let mut events = Events {
            spread: seed,
            number: 0,
            last: None,
        };
        let mut expected = Expected::default();
        let mut lines = Vec::new();
        for _ in 0..5_000 {
            let (run, event) = events.next(&expected);
            expected.take(&run, &event);
            lines.push(written(&run, &event));
        }
        let store = MemoryStore::new();
        let strict = layered(Arc::new(store.clone()), true);

        let (tally, outcome) = recorded(&*strict, &lines).await;

        outcome.unwrap();
        assert_eq!(
            (tally.appended, tally.duplicates, tally.rejected),
            (expected.appended, expected.duplicates, expected.rejected),
            "seed {seed}"
        );
        assert!(tally.appended > 0 && tally.rejected > 0, "seed {seed}");
        for (run, log) in &expected.runs {
            assert_eq!(keys(&store, run).await, log.keys, "seed {seed}, run {run}");
        }

        let (again, outcome) = recorded(&*strict, &lines).await;
        outcome.unwrap();
        assert_eq!(
            (again.appended, again.rejected),
            (0, expected.rejected),
            "seed {seed}"
        );
    }
}

/// A run's numbers are kept: what would come after the refused event has another one.
#[tokio::test]
async fn numbered_lines_are_refused_from_the_first_illegal_one_on() {
    let store = MemoryStore::new();
    let strict = layered(Arc::new(store.clone()), true);
    let numbered = |number: u32, kind: &str| {
        line("r", number, &format!(r#","run_seq":{number}"#)).replace("Custom", kind)
    };
    let lines = [
        numbered(1, "RunStarted"),
        numbered(2, "RunResumed"),
        numbered(3, "RunPaused"),
        line("other", 1, ""),
    ];

    let (tally, outcome) = recorded(&*strict, &lines).await;

    outcome.unwrap();
    assert_eq!((tally.appended, tally.rejected), (2, 2));
    assert_eq!(keys(&store, "r").await, ["1"]);
}

/// What was recorded without it is there, legal or not.
#[tokio::test]
async fn what_is_recorded_already_is_a_duplicate() {
    let store = MemoryStore::new();
    let lines = [
        line("r", 1, "").replace("Custom", "RunStarted"),
        line("r", 2, "").replace("Custom", "RunResumed"),
        line("r", 3, "").replace("Custom", "RunPaused"),
    ];
    recorded(&store, &lines).await.1.unwrap();
    let strict = layered(Arc::new(store.clone()), true);

    let (tally, outcome) = recorded(&*strict, &lines).await;

    outcome.unwrap();
    assert_eq!((tally.duplicates, tally.rejected), (3, 0));
}
