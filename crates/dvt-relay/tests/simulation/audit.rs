//! Looks into the store itself, after each step and at the end.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use dvt_contracts::{
    DeadLetterQuery, MAX_PAGE, OutboxStorage as _, PendingQuery, PendingState, RunEvent, RunKey,
    RunStateStore as _,
};

use crate::desk::Desk;
use crate::stage::Stage;
use crate::violation::Invariant;

pub(crate) struct Audit {
    stage: Arc<Stage>,
    desk: Arc<Desk>,
    /// What each log held when it was last looked at.
    logs: BTreeMap<RunKey, Vec<RunEvent>>,
}

impl Audit {
    pub(crate) fn new(stage: &Arc<Stage>, desk: &Arc<Desk>) -> Self {
        Self {
            stage: Arc::clone(stage),
            desk: Arc::clone(desk),
            logs: BTreeMap::new(),
        }
    }

    /// Compares the store with the book.
    pub(crate) async fn look(&mut self) {
        self.stage.now();
        let desk = Arc::clone(&self.desk);
        let store = desk.store();
        let stats = store.stats().await.unwrap();
        let letters = store
            .list_dead_letters(&DeadLetterQuery::default())
            .await
            .unwrap();
        let pending = store.list_pending(&PendingQuery::default()).await.unwrap();
        let runs: Vec<RunKey> = self.stage.state().book.runs.keys().cloned().collect();
        let (mut heads, mut cursors) = (0, 0);
        for run in &runs {
            let record = store.get_run(run).await.unwrap();
            let (head, cursor) = (record.head, record.delivered_seq);
            heads += head;
            cursors += cursor;
            self.read_on(run, head).await;
            let mut state = self.stage.state();
            let book = state.book.run(run);
            let at_cursor = |pending: &&dvt_contracts::PendingRun| pending.run == *run;
            let waiting = pending.iter().find(at_cursor);
            let parked =
                waiting.is_some_and(|one| matches!(one.state, PendingState::Parked { .. }));
            let expected = (book.cursor, book.cursor < head, book.parked);
            let found = (cursor, waiting.is_some(), parked);
            let counts = (book.claim_no, book.attempts, book.unfinished);
            let counted = waiting.map(|one| (one.claim_no, one.attempts, one.unfinished_claims));
            state
                .book
                .check(found == expected, Invariant::EveryEventHasOnePlace, || {
                    format!("{run}: cursor, pending, parked are {found:?}, not {expected:?}")
                });
            let as_counted = counted.is_none_or(|found| found == counts);
            state.book.check(as_counted, Invariant::Accounting, || {
                format!("{run}: claim, attempts, unfinished are {counted:?}, not {counts:?}")
            });
        }
        let mut state = self.stage.state();
        let of_book: BTreeSet<(RunKey, u64)> = state
            .book
            .runs
            .iter()
            .flat_map(|(run, book)| book.skipped.keys().map(|seq| (run.clone(), *seq)))
            .collect();
        let skipped: BTreeSet<(RunKey, u64)> = letters
            .iter()
            .filter(|letter| letter.is_skipped())
            .map(|letter| (letter.run.clone(), letter.run_seq))
            .collect();
        let open = letters.iter().filter(|letter| letter.is_open()).count() as u64;
        let delivered = cursors - skipped.len() as u64;
        let dead = open + skipped.len() as u64;
        let whole = heads == delivered + stats.pending_events + dead
            && stats.skipped_events == skipped.len() as u64
            && stats.parked_runs == open
            && skipped == of_book;
        state
            .book
            .check(whole, Invariant::EveryEventHasOnePlace, || {
                format!("{heads} events: {delivered} delivered, {dead} dead, {stats:?}")
            });
    }

    /// Reads what is new in a log.
    async fn read_on(&mut self, run: &RunKey, head: u64) {
        let log = self.logs.entry(run.clone()).or_default();
        let from = log.len();
        if head > from as u64 {
            let after = from as u64;
            let page = self
                .desk
                .store()
                .list_events(run, after, MAX_PAGE)
                .await
                .unwrap();
            log.extend(page.events);
        }
        let numbered = (1..).zip(log.iter()).skip(from);
        let dense = numbered.clone().all(|(seq, event)| event.run_seq == seq);
        let times = log.windows(2).skip(from.saturating_sub(1));
        let in_time = times
            .clone()
            .all(|two| two[0].persisted_at <= two[1].persisted_at);
        let mut state = self.stage.state();
        let told = &state.book.run(run).told;
        let as_told = told.len() as u64 == head
            && numbered
                .clone()
                .all(|(seq, event)| told.get(event.event.idempotency_key().as_str()) == Some(&seq));
        let whole = log.len() as u64 == head && dense && in_time && as_told;
        state.book.check(whole, Invariant::GaplessLog, || {
            format!("{run} has {head} events, of them {:?}", &log[from..])
        });
    }

    /// All logs from the beginning, and every arrival.
    pub(crate) async fn look_at_everything(&mut self, runs: &[RunKey]) {
        for run in runs {
            let seen = self.logs.remove(run).unwrap_or_default();
            let mut now = Vec::new();
            loop {
                let after = now.len() as u64;
                let page = self
                    .desk
                    .store()
                    .list_events(run, after, MAX_PAGE)
                    .await
                    .unwrap();
                if page.events.is_empty() {
                    break;
                }
                now.extend(page.events);
            }
            let mut state = self.stage.state();
            state.book.check(seen == now, Invariant::GaplessLog, || {
                format!("the log of {run} is not what it was")
            });
            state.book.complete(run, now.len() as u64);
        }
    }
}
