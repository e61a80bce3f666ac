//! Appending: first all verdicts, then the writing, so a refused request leaves nothing behind.

use dvt_contracts::{
    AppendError, AppendOutcome, AppendRequest, Appended, ConflictPolicy, Disposition, Event,
    Expected, RunEvent, Timestamp, status_after,
};

use crate::run::Run;
use crate::state::State;

/// Executes one request of a call.
pub(crate) fn append(
    state: &mut State,
    request: &AppendRequest,
    now: Timestamp,
) -> Result<AppendOutcome, AppendError> {
    let run = state.run_mut(&request.run)?;
    if let Some(pruned_at) = run.pruned_at() {
        return Err(AppendError::RunPruned {
            run: run.key.clone(),
            pruned_at,
        });
    }
    let plan = run.plan(&request.events, request.on_conflict, now)?;
    let head = run.head();
    if let Expected::At(expected) = request.expected
        && expected != head
        && !plan.fresh.is_empty()
    {
        return Err(AppendError::VersionConflict {
            run: run.key.clone(),
            expected,
            actual: head,
        });
    }
    // A log that fits a file is far from 2^63 events: `SequenceOverflow` cannot happen here.
    let events = run.write(plan, now);
    Ok(AppendOutcome {
        head: run.head(),
        events,
    })
}

/// What appending events would do.
pub(crate) struct Plan {
    /// The entry of the reply for each event.
    pub(crate) replies: Vec<Appended>,
    /// What is to be written: the events whose keys are new.
    pub(crate) fresh: Vec<RunEvent>,
}

impl Run {
    /// Judges the keys. Nothing is written.
    pub(crate) fn plan(
        &self,
        events: &[Event],
        on_conflict: ConflictPolicy,
        now: Timestamp,
    ) -> Result<Plan, AppendError> {
        // The clock may have stepped back; the log never does.
        let persisted_at = self
            .log
            .last()
            .map_or(now, |last| last.persisted_at.max(now));
        let mut replies = Vec::with_capacity(events.len());
        let mut fresh: Vec<RunEvent> = Vec::new();
        for event in events {
            let key = event.idempotency_key();
            let in_log = self.event_with(key);
            let earlier = || fresh.iter().find(|new| new.event.idempotency_key() == key);
            let reply = match in_log.or_else(earlier) {
                Some(stored) => {
                    let same_content = stored.event.same_content(event);
                    if !same_content && on_conflict == ConflictPolicy::Reject {
                        return Err(AppendError::IdempotencyConflict {
                            run: self.key.clone(),
                            idempotency_key: key.clone(),
                            stored: in_log.cloned().map(Box::new),
                        });
                    }
                    Appended {
                        stored: stored.clone(),
                        disposition: Disposition::Duplicate { same_content },
                    }
                }
                None => {
                    let stored = RunEvent {
                        run_seq: self.head() + fresh.len() as u64 + 1,
                        persisted_at,
                        event: event.clone(),
                    };
                    fresh.push(stored.clone());
                    Appended {
                        stored,
                        disposition: Disposition::Appended,
                    }
                }
            };
            replies.push(reply);
        }
        Ok(Plan { replies, fresh })
    }

    /// Writes what was planned. This is also the enqueue: the new events lie after the cursor.
    pub(crate) fn write(&mut self, plan: Plan, now: Timestamp) -> Vec<Appended> {
        if !self.has_pending() && !plan.fresh.is_empty() {
            self.cursor.due_at = Some(now);
        }
        for new in &plan.fresh {
            self.status = status_after(self.status, new.event.event_type());
        }
        self.log.extend(plan.fresh);
        plan.replies
    }
}
