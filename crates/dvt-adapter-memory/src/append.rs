//! What a request does to a run: judged first, then written, so that a refusal leaves nothing behind.

use std::collections::HashMap;

use dvt_contracts::{
    AppendError, AppendOutcome, AppendRequest, Appended, ConflictPolicy, Disposition, Event,
    Expected, IdempotencyKey, RunEvent, RunKey, Timestamp, status_after,
};

use crate::run::Run;

/// What is to become of one event of a request.
#[derive(Clone, Copy)]
enum Verdict {
    Fresh,
    /// The key is in the log.
    Known(u64),
    /// The key came earlier in the request, at this index.
    Repeated(usize),
}

impl Run {
    /// Judges and executes one request. Whether anything was written shows in the head.
    pub(crate) fn append(
        &mut self,
        request: &AppendRequest,
        now: Timestamp,
    ) -> Result<AppendOutcome, AppendError> {
        let run = &request.run;
        if let Some(pruned_at) = self.pruned_at {
            return Err(AppendError::RunPruned {
                run: run.clone(),
                pruned_at,
            });
        }
        let verdicts = self.verdicts(&request.events);
        if request.on_conflict == ConflictPolicy::Reject {
            self.check_content(run, &request.events, &verdicts)?;
        }
        let fresh = verdicts
            .iter()
            .filter(|verdict| matches!(verdict, Verdict::Fresh))
            .count();
        if fresh > 0 {
            self.check_head(run, request.expected, fresh)?;
        }
        Ok(AppendOutcome {
            events: self.write(&request.events, &verdicts, now),
            head: self.head,
        })
    }

    /// Appends the first events of a bootstrap, or matches them with what is there.
    pub(crate) fn append_first(&mut self, events: &[Event], now: Timestamp) -> Vec<Appended> {
        let verdicts = self.verdicts(events);
        self.write(events, &verdicts, now)
    }

    /// Whether the log has all of these events with the same content. Of a repeated key, the first use counts.
    pub(crate) fn has_all(&self, events: &[Event]) -> bool {
        let mut first_uses = HashMap::new();
        events.iter().enumerate().for_each(|(index, event)| {
            first_uses.entry(event.idempotency_key()).or_insert(index);
        });
        first_uses.values().all(|index| {
            let event = &events[*index];
            self.keys
                .get(event.idempotency_key())
                .and_then(|seq| self.event(*seq))
                .is_some_and(|stored| event.same_content(&stored.event))
        })
    }

    fn verdicts<'a>(&self, events: &'a [Event]) -> Vec<Verdict> {
        let mut first_uses: HashMap<&'a IdempotencyKey, usize> = HashMap::new();
        let verdict = |(index, event): (usize, &'a Event)| {
            let key = event.idempotency_key();
            match (self.keys.get(key), first_uses.get(key)) {
                (Some(seq), _) => Verdict::Known(*seq),
                (None, Some(first)) => Verdict::Repeated(*first),
                (None, None) => {
                    first_uses.insert(key, index);
                    Verdict::Fresh
                }
            }
        };
        events.iter().enumerate().map(verdict).collect()
    }

    fn check_content(
        &self,
        run: &RunKey,
        events: &[Event],
        verdicts: &[Verdict],
    ) -> Result<(), AppendError> {
        for (event, verdict) in events.iter().zip(verdicts) {
            let (first, stored) = match verdict {
                Verdict::Fresh => continue,
                Verdict::Repeated(first) => (events.get(*first), None),
                Verdict::Known(seq) => {
                    let stored = self.event(*seq);
                    (stored.map(|stored| &stored.event), stored)
                }
            };
            if !first.is_some_and(|first| event.same_content(first)) {
                return Err(AppendError::IdempotencyConflict {
                    run: run.clone(),
                    idempotency_key: event.idempotency_key().clone(),
                    stored: stored.cloned().map(Box::new),
                });
            }
        }
        Ok(())
    }

    fn check_head(
        &self,
        run: &RunKey,
        expected: Expected,
        fresh: usize,
    ) -> Result<(), AppendError> {
        if let Expected::At(expected) = expected
            && expected != self.head
        {
            return Err(AppendError::VersionConflict {
                run: run.clone(),
                expected,
                actual: self.head,
            });
        }
        if self.head > i64::MAX as u64 - fresh as u64 {
            return Err(AppendError::SequenceOverflow {
                run: run.clone(),
                head: self.head,
                events: fresh,
            });
        }
        Ok(())
    }

    fn write(&mut self, events: &[Event], verdicts: &[Verdict], now: Timestamp) -> Vec<Appended> {
        // The clock may have stepped back since the last write.
        let persisted_at = self
            .events
            .last()
            .map_or(now, |last| last.persisted_at.max(now));
        let mut appended: Vec<Appended> = Vec::with_capacity(events.len());
        for (event, verdict) in events.iter().zip(verdicts) {
            let duplicate = match verdict {
                Verdict::Fresh => None,
                Verdict::Known(seq) => self.event(*seq).cloned(),
                Verdict::Repeated(first) => appended.get(*first).map(|first| first.stored.clone()),
            };
            appended.push(match duplicate {
                Some(stored) => Appended {
                    disposition: Disposition::Duplicate {
                        same_content: event.same_content(&stored.event),
                    },
                    stored,
                },
                None => Appended {
                    stored: self.push(event, persisted_at),
                    disposition: Disposition::Appended,
                },
            });
        }
        appended
    }

    fn push(&mut self, event: &Event, persisted_at: Timestamp) -> RunEvent {
        self.head += 1;
        self.status = status_after(self.status, event.event_type());
        self.keys.insert(event.idempotency_key().clone(), self.head);
        let stored = RunEvent {
            run_seq: self.head,
            persisted_at,
            event: event.clone(),
        };
        self.events.push(stored.clone());
        stored
    }
}
