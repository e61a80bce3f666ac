//! The rules of one run.

use std::collections::HashSet;
use std::hash::{BuildHasher as _, RandomState};

use dvt_contracts::{
    Checkpoint, DeadLetterQuery, ErrorClass, FOLD_VERSION, MAX_PAGE, PendingQuery, PendingState,
    RunEvent, RunRecord, RunState, Store, Timestamp,
};

use super::progress::Progress;
use super::violation::{Rule, Violation};
use crate::failure::{Failure, chain};

/// How many dead letters are read at once: most runs have none, and those of others follow.
const LETTERS: u32 = 20;

/// What is wrong with a run, and how many events it was found in.
pub(super) async fn check(
    store: &dyn Store,
    record: &RunRecord,
    progress: &mut Progress<'_>,
) -> Result<(Vec<Violation>, u64), Failure> {
    progress.run();
    let mut check = Check::new(record);
    let checkpoint = match store.load_checkpoint(&record.run).await {
        Ok(checkpoint) => checkpoint,
        Err(error) if error.class() == ErrorClass::Bug => {
            check.add(Rule::Readable, chain(&error));
            None
        }
        Err(error) => return Err(error.into()),
    };
    check.checkpoint(checkpoint);
    let mut after = 0;
    loop {
        let page = match store.list_events(&record.run, after, MAX_PAGE).await {
            Ok(page) => page,
            // The rest of the log is not known: what would be said about it is not either.
            Err(error) if error.class() == ErrorClass::Bug => {
                check.add(Rule::Readable, chain(&error));
                return Ok((check.violations, check.events));
            }
            Err(error) => return Err(error.into()),
        };
        progress.events(page.events.len() as u64);
        page.events.iter().for_each(|event| check.event(event));
        // As far as there are events, whatever the head says.
        match page.events.last() {
            Some(last) => after = last.run_seq,
            None => break,
        }
    }
    check.end();
    check.outbox(store).await?;
    Ok((check.violations, check.events))
}

struct Check<'a> {
    record: &'a RunRecord,
    violations: Vec<Violation>,
    state: RunState,
    checkpoint: Option<Checkpoint>,
    events: u64,
    last_seq: u64,
    last_moment: Option<Timestamp>,
    /// Two hashes of each key: whole keys of long logs would not fit.
    keys: HashSet<(u64, u64)>,
    hashers: [RandomState; 2],
}

impl<'a> Check<'a> {
    fn new(record: &'a RunRecord) -> Self {
        Self {
            record,
            violations: Vec::new(),
            state: RunState::new(),
            checkpoint: None,
            events: 0,
            last_seq: 0,
            last_moment: None,
            keys: HashSet::new(),
            hashers: [RandomState::new(), RandomState::new()],
        }
    }

    fn add(&mut self, rule: Rule, found: impl Into<String>) {
        let run = Some(self.record.run.clone());
        self.violations.push(Violation::new(run, rule, found));
    }

    fn checkpoint(&mut self, checkpoint: Option<Checkpoint>) {
        let Some(checkpoint) = checkpoint else { return };
        let at = checkpoint.run_seq;
        if checkpoint.fold_version != FOLD_VERSION {
            // Of another version: readers ignore it.
            return;
        }
        if self.record.pruned_at.is_some() {
            self.add(Rule::Tombstone, format!("it has a checkpoint at {at}"));
        } else if checkpoint.restore(self.record.head).is_none() {
            let head = self.record.head;
            let found =
                format!("the one at {at} has a bad checksum or lies beyond the head {head}");
            self.add(Rule::Checkpoint, found);
        } else if at == 0 {
            self.compare(&checkpoint);
        } else {
            self.checkpoint = Some(checkpoint);
        }
    }

    fn compare(&mut self, checkpoint: &Checkpoint) {
        if Checkpoint::of(&self.state) != *checkpoint {
            let at = checkpoint.run_seq;
            self.add(
                Rule::Checkpoint,
                format!("the one at {at} is not the fold of the log up to there"),
            );
        }
    }

    fn event(&mut self, event: &RunEvent) {
        let (seq, expected) = (event.run_seq, self.last_seq + 1);
        if seq != expected {
            self.add(
                Rule::Sequence,
                format!("event {seq} found, expected {expected}"),
            );
        }
        if self.last_moment > Some(event.persisted_at) {
            let moment = event.persisted_at;
            let found = format!("event {seq} was persisted at {moment}, before the one before it");
            self.add(Rule::Moment, found);
        }
        let key = event.event.idempotency_key();
        let [one, other] = &self.hashers;
        if !self.keys.insert((one.hash_one(key), other.hash_one(key))) {
            let key = key.as_str();
            self.add(
                Rule::Key,
                format!("event {seq} has the key {key:?} of an earlier one"),
            );
        }
        self.events += 1;
        self.last_seq = seq;
        self.last_moment = Some(event.persisted_at);
        self.state.fold(event);
        if let Some(checkpoint) = self
            .checkpoint
            .take_if(|checkpoint| checkpoint.run_seq == seq)
        {
            self.compare(&checkpoint);
        }
    }

    fn end(&mut self) {
        let RunRecord {
            head,
            status,
            delivered_seq,
            ..
        } = *self.record;
        if delivered_seq > head {
            self.add(
                Rule::Cursor,
                format!("it is at {delivered_seq}, beyond the head {head}"),
            );
        }
        if self.record.pruned_at.is_some() {
            if !status.is_terminal() || delivered_seq != head {
                let found = format!("it is {status} and delivered up to {delivered_seq} of {head}");
                self.add(Rule::Tombstone, found);
            }
            if self.events > 0 {
                let found = format!("it still has {} events", self.events);
                self.add(Rule::Tombstone, found);
            }
            return;
        }
        let last = self.last_seq;
        if last != head {
            self.add(Rule::Head, format!("it is {head}, the log ends at {last}"));
        }
        let folded = self.state.status();
        if folded != status {
            self.add(
                Rule::Status,
                format!("it is {status}, the log says {folded}"),
            );
        }
    }

    async fn outbox(&mut self, store: &dyn Store) -> Result<(), Failure> {
        let record = self.record;
        let query = PendingQuery {
            run: Some(record.run.clone()),
            limit: 1,
            ..PendingQuery::default()
        };
        let pending = match store.list_pending(&query).await {
            Ok(mut pending) => pending.pop(),
            Err(error) if error.class() == ErrorClass::Bug => {
                self.add(Rule::Outbox, chain(&error));
                return Ok(());
            }
            Err(error) => return Err(error.into()),
        };
        let undelivered = record.delivered_seq < record.head;
        if pending.is_some() != undelivered {
            let listed = if pending.is_some() { "is" } else { "is not" };
            let (cursor, head) = (record.delivered_seq, record.head);
            let found =
                format!("it is delivered up to {cursor} of {head} and {listed} listed as pending");
            self.add(Rule::Outbox, found);
        }
        let parked = match pending.as_ref().map(|pending| pending.state) {
            Some(PendingState::Parked { dead_letter_no, .. }) => Some(dead_letter_no),
            _ => None,
        };
        self.letters(store, parked).await
    }

    /// The run's dead letters, of which the last may be open: the one that parks it.
    async fn letters(&mut self, store: &dyn Store, parked: Option<u64>) -> Result<(), Failure> {
        let run = &self.record.run;
        let (head, next) = (self.record.head, self.record.delivered_seq + 1);
        let mut query = DeadLetterQuery {
            after: Some((run.clone(), 0)),
            limit: LETTERS,
            ..DeadLetterQuery::default()
        };
        let mut open = None;
        loop {
            let page = match store.list_dead_letters(&query).await {
                Ok(page) => page,
                Err(error) if error.class() == ErrorClass::Bug => {
                    self.add(Rule::Readable, chain(&error));
                    return Ok(());
                }
                Err(error) => return Err(error.into()),
            };
            let ours: Vec<_> = page.iter().filter(|letter| letter.run == *run).collect();
            let is_last = ours.len() < LETTERS as usize;
            for letter in ours {
                let (number, seq) = (letter.dead_letter_no, letter.run_seq);
                query.after = Some((run.clone(), number));
                if seq > head {
                    self.add(
                        Rule::DeadLetter,
                        format!("{number} is of event {seq}, beyond the head {head}"),
                    );
                }
                if letter.is_open() {
                    open = Some((number, seq));
                }
            }
            if is_last {
                break;
            }
        }
        match (parked, open) {
            (None, None) => {}
            (Some(number), Some(open)) if open == (number, next) => {}
            (Some(number), None) => {
                self.add(
                    Rule::DeadLetter,
                    format!("the run is parked by {number}, which is not open"),
                );
            }
            (None, Some((number, _))) => {
                self.add(
                    Rule::DeadLetter,
                    format!("{number} is open, but the run is not parked"),
                );
            }
            (Some(number), Some((open, seq))) => {
                let found = format!(
                    "the run is parked by {number} at event {next}, open is {open} of event {seq}"
                );
                self.add(Rule::DeadLetter, found);
            }
        }
        Ok(())
    }
}
