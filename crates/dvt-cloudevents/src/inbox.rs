use std::collections::HashMap;

use dvt_contracts::RunKey;

use crate::received::Received;

/// The consumer's side of at-least-once, in order per run: tells what is new.
///
/// A real consumer keeps `run_seq` and `claim_no` of each run beside what it makes of the events, in one transaction with it;
/// this one keeps them in memory.
#[derive(Debug, Default)]
pub struct Inbox {
    runs: HashMap<RunKey, Position>,
}

/// How far a consumer is with a run. A real one stores it together with what it made of the events.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Position {
    /// The last event that was taken.
    pub run_seq: u64,
    /// The newest claim that an event came under.
    pub claim_no: u64,
}

/// What a received event is to a consumer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is new and next: process it.
    Next,
    /// It was here before: confirm it and do nothing.
    Duplicate,
    /// It was sent under an older claim than one that was seen: its relay has lost the run. A receiver that can refuse does;
    /// another ignores it, since the run's present relay sends everything that is missing.
    Stale {
        /// The newest claim that was seen.
        claim_no: u64,
    },
    /// Events before it are missing: an operator skipped them, or they came before this consumer began. Process it; whoever
    /// needs the missing ones reads the log.
    Gap {
        /// The first missing `run_seq`.
        first_missing: u64,
    },
}

impl Inbox {
    /// Goes on with a run where a consumer before this one was.
    pub fn resume(&mut self, run: RunKey, position: Position) {
        self.runs.insert(run, position);
    }

    /// How far it is with a run.
    #[must_use]
    pub fn position(&self, run: &RunKey) -> Position {
        self.runs.get(run).copied().unwrap_or_default()
    }

    /// Judges an event, and remembers it unless it is stale.
    pub fn receive(&mut self, event: &Received) -> Verdict {
        let seen = self.runs.entry(event.run.clone()).or_default();
        if event.claim_no < seen.claim_no {
            return Verdict::Stale {
                claim_no: seen.claim_no,
            };
        }
        seen.claim_no = event.claim_no;
        if event.run_seq <= seen.run_seq {
            return Verdict::Duplicate;
        }
        let first_missing = seen.run_seq + 1;
        seen.run_seq = event.run_seq;
        if event.run_seq > first_missing {
            return Verdict::Gap { first_missing };
        }
        Verdict::Next
    }
}

#[cfg(test)]
mod tests {
    use dvt_contracts::EventType;

    use super::*;

    fn received(run: &str, run_seq: u64, claim_no: u64) -> Received {
        Received {
            id: format!("{run}/{run_seq}"),
            run: RunKey::new("shop".parse().unwrap(), run.parse().unwrap()),
            run_seq,
            claim_no,
            event_type: EventType::RunStarted,
            step_id: None,
            data: "null".to_owned(),
        }
    }

    #[test]
    fn each_event_of_a_run_is_new_once_and_old_claims_are_stale() {
        let mut inbox = Inbox::default();
        let mut verdict = |run_seq, claim_no| inbox.receive(&received("a", run_seq, claim_no));
        assert_eq!(verdict(1, 1), Verdict::Next);
        assert_eq!(verdict(2, 1), Verdict::Next);
        assert_eq!(verdict(2, 2), Verdict::Duplicate);
        assert_eq!(verdict(3, 1), Verdict::Stale { claim_no: 2 });
        assert_eq!(verdict(3, 2), Verdict::Next);
        assert_eq!(verdict(6, 2), Verdict::Gap { first_missing: 4 });
        assert_eq!(verdict(5, 2), Verdict::Duplicate);
        assert_eq!(inbox.receive(&received("b", 1, 1)), Verdict::Next);

        let run = received("a", 1, 1).run;
        let position = inbox.position(&run);
        assert_eq!((position.run_seq, position.claim_no), (6, 2));
        let mut restarted = Inbox::default();
        restarted.resume(run, position);
        assert_eq!(restarted.receive(&received("a", 6, 2)), Verdict::Duplicate);
        assert_eq!(restarted.receive(&received("a", 7, 2)), Verdict::Next);
    }
}
