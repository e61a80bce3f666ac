use std::collections::HashMap;

use dvt_contracts::{
    AppendError, AppendOutcome, AppendRequest, Appended, ConflictPolicy, Disposition, Event,
    Expected, IdempotencyKey, RunEvent, RunKey, RunStatus, Timestamp, status_after,
};

use super::Reply;
use super::statement::Answer;
use crate::event_columns::{bigint_or_none, count};
use crate::fault::Fault;

/// Requests for one run that go to the server as one: written together or not at all.
///
/// They are the longest beginning of the run's requests for which "all together" and "one after another" come to the same
/// if all keys are new: unconditional ones, or conditional ones of which each expects what those before it leave behind.
#[derive(Debug)]
pub(super) struct Group<'a> {
    pub(super) run: &'a RunKey,
    /// The head that the first request expects; -1 equals none, so that nothing is written.
    pub(super) expected: Option<i64>,
    requests: Vec<&'a AppendRequest>,
    /// The events of distinct keys, first uses, in order.
    events: Vec<&'a Event>,
    places: HashMap<&'a IdempotencyKey, usize>,
    /// What is known of each of them so far.
    known: Vec<Option<RunEvent>>,
    look_only: bool,
    /// Whether the statement that looks for no keys wrote nothing of it; the one that looks tells why.
    is_unwritten: bool,
}

/// What an answer means for a group.
pub(super) enum Judged {
    /// One reply for each of the first requests: all of them, or those whose keys are all known.
    Answered { replies: Vec<Reply>, wrote: bool },
    /// The requests may differ in their fate: ask for the first one alone.
    TakeApart,
    /// Some keys are known: ask again with the others.
    AskForTheRest,
    /// Somebody else wrote while the statement waited: ask again.
    Raced,
}

impl<'a> Group<'a> {
    /// The first requests of a run that may go together: at least one.
    pub(super) fn of(requests: &[(usize, &'a AppendRequest)], one_by_one: bool) -> Self {
        let (_, first) = requests[0];
        let mut group = Self {
            run: &first.run,
            expected: match first.expected {
                Expected::Any => None,
                Expected::At(head) => Some(bigint_or_none(head)),
            },
            requests: Vec::new(),
            events: Vec::new(),
            places: HashMap::new(),
            known: Vec::new(),
            look_only: false,
            is_unwritten: false,
        };
        group.push(first);
        // Two uses of one key that say different things are refused, whatever else happens.
        group.look_only =
            first.on_conflict == ConflictPolicy::Reject && !group.repeats_agree(first);
        if group.look_only {
            group.expected = Some(-1);
        } else if !one_by_one {
            for (_, next) in &requests[1..] {
                if !group.can_take(next) {
                    break;
                }
                group.push(next);
            }
        }
        group.known = vec![None; group.events.len()];
        group
    }

    fn push(&mut self, request: &'a AppendRequest) {
        for event in &request.events {
            let place = self.events.len();
            if let std::collections::hash_map::Entry::Vacant(entry) =
                self.places.entry(event.idempotency_key())
            {
                entry.insert(place);
                self.events.push(event);
            }
        }
        self.requests.push(request);
    }

    fn repeats_agree(&self, request: &AppendRequest) -> bool {
        request.events.iter().all(|event| {
            let first = self.places.get(event.idempotency_key());
            first.is_some_and(|place| self.events[*place].same_content(event))
        })
    }

    fn can_take(&self, next: &AppendRequest) -> bool {
        let unconditional =
            next.expected == Expected::Any && next.on_conflict == ConflictPolicy::FirstWins;
        if unconditional && self.expected.is_none() {
            return true;
        }
        let lined_up = match (next.expected, self.expected) {
            (Expected::Any, None) => true,
            (Expected::At(head), Some(first)) => {
                bigint_or_none(head) == first.saturating_add(self.events.len() as i64)
            }
            _ => false,
        };
        let mut keys = std::collections::HashSet::new();
        lined_up
            && next.events.iter().all(|event| {
                let key = event.idempotency_key();
                keys.insert(key) && !self.places.contains_key(key)
            })
    }

    /// The events to be sent: those not known yet.
    pub(super) fn unknown(&self) -> impl Iterator<Item = &'a Event> {
        let places = self.events.iter().zip(&self.known);
        places.filter_map(|(event, known)| known.is_none().then_some(*event))
    }

    /// Whether the keys have to be looked for, whatever is likely.
    pub(super) fn must_look(&self) -> bool {
        self.look_only || self.is_unwritten
    }

    /// The statement that took the keys to be new wrote nothing of it.
    pub(super) fn was_not_written(&mut self) {
        self.is_unwritten = true;
    }

    /// For each status before the unknown events, as a digit the status after them.
    pub(super) fn status_after(&self) -> String {
        let after = |status: RunStatus| {
            let end = self.unknown().fold(status, |status, event| {
                status_after(status, event.event_type())
            });
            RunStatus::ALL.iter().position(|status| *status == end)
        };
        RunStatus::ALL
            .into_iter()
            .map(|status| char::from(b'1' + after(status).unwrap_or(0) as u8))
            .collect()
    }

    pub(super) fn judge(&mut self, answer: Answer) -> Result<Judged, Fault> {
        let unknown: Vec<usize> = (0..self.events.len())
            .filter(|place| self.known[*place].is_none())
            .collect();
        let place_of = |sent: i64| {
            let place = usize::try_from(sent - 1).ok();
            let place = place.and_then(|sent| unknown.get(sent)).copied();
            place.ok_or_else(|| Fault::Corrupt("an event that was not sent".to_owned()))
        };
        for (sent, same) in answer.same {
            let place = place_of(sent)?;
            self.known[place] = Some(same.decode(self.events[place])?);
        }
        for (sent, other) in answer.other {
            let place = place_of(sent)?;
            let key = self.events[place].idempotency_key().clone();
            self.known[place] = other.decode(key)?;
        }
        let Some(last_seq) = answer.last_seq else {
            return Ok(self.refused(&AppendError::RunNotFound {
                run: self.run.clone(),
            }));
        };
        if let Some(pruned_at) = answer.pruned_at {
            return Ok(self.refused(&AppendError::RunPruned {
                run: self.run.clone(),
                pruned_at: pruned_at.0,
            }));
        }
        let head = count(last_seq)?;
        let together = self.requests.len() > 1;
        match answer.verdict.as_str() {
            "append" => {
                let persisted_at = answer
                    .persisted_at
                    .ok_or_else(|| Fault::Corrupt("written, but not when".to_owned()))?;
                Ok(self.written(head, &unknown, persisted_at.0))
            }
            "duplicates" => {
                let replies = self
                    .requests
                    .iter()
                    .map(|request| self.known_reply(request, head));
                Ok(Judged::Answered {
                    replies: replies.collect(),
                    wrote: false,
                })
            }
            _ if together && self.is_conditional() => Ok(self.known_beginning(head)),
            // A known key with other content is told before the head is looked at.
            _ if let Some(conflict) = self.conflict() => Ok(self.refused(&conflict)),
            "conflict" if answer.seen_seq != Some(last_seq) => Ok(Judged::Raced),
            "conflict" => Ok(self.refused(&self.version_conflict(head))),
            "partial" => Ok(Judged::AskForTheRest),
            "overflow" if together => Ok(Judged::TakeApart),
            "overflow" => Ok(self.refused(&AppendError::SequenceOverflow {
                run: self.run.clone(),
                head,
                events: unknown.len(),
            })),
            other => Err(Fault::Corrupt(format!("verdict {other:?}"))),
        }
    }

    /// Answers the first requests if all their keys are known, which is an answer whatever they expect.
    fn known_beginning(&self, head: u64) -> Judged {
        let is_known = |request: &&&AppendRequest| {
            request.events.iter().all(|event| {
                let place = self.places.get(event.idempotency_key());
                place.is_some_and(|place| self.known[*place].is_some())
            })
        };
        let beginning = self.requests.iter().take_while(is_known);
        let replies: Vec<Reply> = beginning
            .map(|request| self.known_reply(request, head))
            .collect();
        if replies.is_empty() {
            return Judged::TakeApart;
        }
        Judged::Answered {
            replies,
            wrote: false,
        }
    }

    fn is_conditional(&self) -> bool {
        let conditional = |request: &&AppendRequest| {
            request.expected != Expected::Any || request.on_conflict == ConflictPolicy::Reject
        };
        self.requests.iter().any(conditional)
    }

    fn refused(&self, error: &AppendError) -> Judged {
        Judged::Answered {
            replies: vec![Err(error.clone()); self.requests.len()],
            wrote: false,
        }
    }

    fn version_conflict(&self, actual: u64) -> AppendError {
        let expected = match self.requests[0].expected {
            Expected::At(head) => head,
            Expected::Any => actual,
        };
        AppendError::VersionConflict {
            run: self.run.clone(),
            expected,
            actual,
        }
    }

    /// What the first request's policy finds wrong with what is known.
    fn conflict(&self) -> Option<AppendError> {
        let request = self.requests.first()?;
        if request.on_conflict != ConflictPolicy::Reject {
            return None;
        }
        request.events.iter().find_map(|event| {
            let place = *self.places.get(event.idempotency_key())?;
            let stored = self.known[place].as_ref();
            let first = stored.map_or(self.events[place], |stored| &stored.event);
            (!event.same_content(first)).then(|| AppendError::IdempotencyConflict {
                run: self.run.clone(),
                idempotency_key: event.idempotency_key().clone(),
                stored: stored.cloned().map(Box::new),
            })
        })
    }

    /// The reply to a request whose keys are all known.
    fn known_reply(&self, request: &AppendRequest, head: u64) -> Reply {
        let mut events = Vec::with_capacity(request.events.len());
        for event in &request.events {
            let place = self.places.get(event.idempotency_key());
            let Some(stored) = place.and_then(|place| self.known[*place].clone()) else {
                continue;
            };
            let same_content = event.same_content(&stored.event);
            if !same_content && request.on_conflict == ConflictPolicy::Reject {
                return Err(AppendError::IdempotencyConflict {
                    run: self.run.clone(),
                    idempotency_key: event.idempotency_key().clone(),
                    stored: Some(Box::new(stored)),
                });
            }
            events.push(Appended {
                stored,
                disposition: Disposition::Duplicate { same_content },
            });
        }
        Ok(AppendOutcome { head, events })
    }

    /// The replies after the unknown events were written behind `head`.
    fn written(&self, head: u64, unknown: &[usize], persisted_at: Timestamp) -> Judged {
        let mut numbers = vec![None; self.events.len()];
        for (run_seq, place) in (head + 1..).zip(unknown) {
            numbers[*place] = Some(run_seq);
        }
        let mut head = head;
        let mut replies = Vec::with_capacity(self.requests.len());
        for request in &self.requests {
            let mut events = Vec::with_capacity(request.events.len());
            for event in &request.events {
                let Some(place) = self.places.get(event.idempotency_key()).copied() else {
                    continue;
                };
                let written = numbers[place].map(|run_seq| RunEvent {
                    run_seq,
                    persisted_at,
                    event: self.events[place].clone(),
                });
                let Some(stored) = written.or_else(|| self.known[place].clone()) else {
                    continue;
                };
                // Numbers are given in the order of first uses.
                let disposition = if stored.run_seq > head {
                    head = stored.run_seq;
                    Disposition::Appended
                } else {
                    Disposition::Duplicate {
                        same_content: event.same_content(&stored.event),
                    }
                };
                events.push(Appended {
                    stored,
                    disposition,
                });
            }
            replies.push(Ok(AppendOutcome { head, events }));
        }
        Judged::Answered {
            replies,
            wrote: true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The digits of `status_after` are places in the statements' own list of names.
    #[test]
    fn the_statements_know_the_statuses_in_the_same_order() {
        let names = RunStatus::ALL.map(|status| format!("'{status}'"));
        let list = format!("ARRAY[{}]", names.join(", "));
        for statement in [
            include_str!("../../queries/append.sql"),
            include_str!("../../queries/append_new.sql"),
            include_str!("../../queries/append_one.sql"),
        ] {
            assert_eq!(statement.matches(&list).count(), 2);
        }
    }
}
