//! What requests do to runs: all that they need is read first, each is judged and executed in memory, and what has changed is
//! written last, so that a refusal leaves nothing behind and a call takes five statements, however many runs it names.

use std::collections::HashMap;

use dvt_contracts::{
    AppendError, AppendOutcome, AppendRequest, Appended, ConflictPolicy, Disposition, Event,
    Expected, IdempotencyKey, RunEvent, RunKey, Timestamp, status_after,
};
use sqlx::SqliteConnection;

use crate::fault::Fault;
use crate::head::Head;

mod batch;
mod reading;

use self::batch::Batch;

/// A run's events by their keys.
pub(crate) type Known = HashMap<IdempotencyKey, RunEvent>;

/// The runs of a call, as they are and as they will be.
#[derive(Debug, Default)]
pub(crate) struct Work {
    runs: HashMap<RunKey, RunWork>,
    batch: Batch,
}

#[derive(Debug)]
struct RunWork {
    head: Head,
    known: Known,
    is_changed: bool,
}

/// Judges and executes requests, one after another, within the caller's transaction.
pub(crate) async fn append(
    connection: &mut SqliteConnection,
    requests: &[AppendRequest],
    now: Timestamp,
) -> Result<Vec<Result<AppendOutcome, AppendError>>, Fault> {
    let named: Vec<_> = requests
        .iter()
        .map(|request| (&request.run, request.events.as_slice()))
        .collect();
    let mut work = Work::load(connection, &named).await?;
    let replies = requests.iter().map(|request| work.append(request, now));
    let replies = replies.collect();
    work.save(connection).await?;
    Ok(replies)
}

impl Work {
    /// Reads the heads of these runs, and which of the keys they know.
    pub(crate) async fn load(
        connection: &mut SqliteConnection,
        named: &[(&RunKey, &[Event])],
    ) -> Result<Self, Fault> {
        let mut work = Self::default();
        for head in reading::heads(connection, named).await? {
            let run = RunWork {
                head,
                known: Known::new(),
                is_changed: false,
            };
            work.runs.insert(run.head.run.clone(), run);
        }
        for (run, event) in reading::known(connection, named).await? {
            if let Some(run) = work.runs.get_mut(run) {
                let key = event.event.idempotency_key().clone();
                run.known.insert(key, event);
            }
        }
        Ok(work)
    }

    /// The run's events that have one of the keys; nothing, if the run is not there.
    pub(crate) fn known(&self, run: &RunKey) -> Option<&Known> {
        self.runs.get(run).map(|run| &run.known)
    }

    fn append(
        &mut self,
        request: &AppendRequest,
        now: Timestamp,
    ) -> Result<AppendOutcome, AppendError> {
        let run = &request.run;
        let Some(found) = self.runs.get(run) else {
            return Err(AppendError::RunNotFound { run: run.clone() });
        };
        if let Some(pruned_at) = found.head.pruned_at {
            let run = run.clone();
            return Err(AppendError::RunPruned { run, pruned_at });
        }
        judge(request, &found.known, found.head.last_seq)?;
        let events = self.write(run, &request.events, now);
        let head = self.runs.get(run).map_or(0, |run| run.head.last_seq);
        Ok(AppendOutcome { head, events })
    }

    /// Takes in the events whose keys are not known, and tells of each event what the log will hold. The run is there.
    pub(crate) fn write(
        &mut self,
        run: &RunKey,
        events: &[Event],
        now: Timestamp,
    ) -> Vec<Appended> {
        let Some(RunWork {
            head,
            known,
            is_changed,
        }) = self.runs.get_mut(run)
        else {
            return Vec::new();
        };
        // The clock may have stepped back since the last write.
        let persisted_at = head.last_persisted_at.map_or(now, |last| last.max(now));
        let mut appended = Vec::with_capacity(events.len());
        for event in events {
            let key = event.idempotency_key();
            if let Some(stored) = known.get(key) {
                appended.push(Appended {
                    disposition: Disposition::Duplicate {
                        same_content: event.same_content(&stored.event),
                    },
                    stored: stored.clone(),
                });
                continue;
            }
            head.last_seq += 1;
            head.status = status_after(head.status, event.event_type());
            head.last_persisted_at = Some(persisted_at);
            *is_changed = true;
            let stored = RunEvent {
                run_seq: head.last_seq,
                persisted_at,
                event: event.clone(),
            };
            self.batch.push(run, &stored);
            known.insert(key.clone(), stored.clone());
            appended.push(Appended {
                stored,
                disposition: Disposition::Appended,
            });
        }
        if *is_changed {
            head.enqueue(now);
        }
        appended
    }

    /// Writes what has changed.
    pub(crate) async fn save(self, connection: &mut SqliteConnection) -> Result<(), Fault> {
        let runs = self.runs.into_values();
        let changed: Vec<Head> = runs
            .filter(|run| run.is_changed)
            .map(|run| run.head)
            .collect();
        if changed.is_empty() {
            return Ok(());
        }
        self.batch.insert(connection).await?;
        batch::move_heads(connection, &changed).await
    }
}

fn judge(request: &AppendRequest, known: &Known, head: u64) -> Result<(), AppendError> {
    let mut firsts: HashMap<&IdempotencyKey, &Event> = HashMap::new();
    for event in &request.events {
        let key = event.idempotency_key();
        let stored = known.get(key);
        let first = match stored {
            Some(stored) => &stored.event,
            None => *firsts.entry(key).or_insert(event),
        };
        if request.on_conflict == ConflictPolicy::Reject && !event.same_content(first) {
            return Err(AppendError::IdempotencyConflict {
                run: request.run.clone(),
                idempotency_key: key.clone(),
                stored: stored.cloned().map(Box::new),
            });
        }
    }
    let fresh = firsts.len();
    match request.expected {
        Expected::At(expected) if fresh > 0 && expected != head => {
            Err(AppendError::VersionConflict {
                run: request.run.clone(),
                expected,
                actual: head,
            })
        }
        _ if fresh > 0 && head > i64::MAX as u64 - fresh as u64 => {
            Err(AppendError::SequenceOverflow {
                run: request.run.clone(),
                head,
                events: fresh,
            })
        }
        _ => Ok(()),
    }
}
