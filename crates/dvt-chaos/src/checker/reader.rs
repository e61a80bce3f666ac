use std::collections::HashMap;

use dvt_contracts::EventType;

use super::facts::{
    Arrived, Claim, Ending, EndingKind, EndingOutcome, Facts, Fault, NEVER, Operation, Outcome,
    RunFacts, Sighting, Write, Written,
};
use crate::fingerprint;
use crate::history::{
    Answer, Arrival, Call, Entry, FailAnswer, FaultMark, FaultPhase, Held, LeaseAnswer, NewEvent,
    Record, Reply, StoredEvent,
};

/// Operations that have begun.
type Open = HashMap<(u32, u64), (u64, Call)>;

/// Puts beginnings and ends together.
#[derive(Debug, Default)]
pub(super) struct Reader {
    facts: Facts,
    open: Open,
    actors: HashMap<String, u32>,
}

impl Reader {
    pub(super) fn take(&mut self, Entry(at, by, record): Entry) {
        match record {
            Record::Begin(op, call) => {
                let actor = self.actor(by);
                self.open.insert((actor, op), (at, call));
            }
            Record::End(op, reply) => {
                let actor = self.actor(by);
                if let Some((begin, call)) = self.open.remove(&(actor, op)) {
                    self.ended(actor, (begin, at), call, reply);
                }
            }
            Record::Arrival(Arrival { run, events, .. }) => {
                let arrived = events.iter().map(|(seq, key, fingerprint)| Arrived {
                    seq: *seq,
                    key: fingerprint::key(key),
                    fingerprint: *fingerprint,
                });
                self.run(&run).arrivals.extend(arrived);
            }
            Record::Rejected(..) => {}
            Record::Fault(mark) => self.fault(at, mark),
            Record::LongFreeze => self.facts.long_freezes.push(at),
            Record::Healed => self.facts.healed = Some(at),
            Record::Drained { pending } => self.facts.drained = Some((at, pending)),
            Record::Health(health) => self.facts.health = Some(health),
        }
    }

    /// What has begun and never ended may have happened.
    pub(super) fn finish(mut self) -> Facts {
        let open = std::mem::take(&mut self.open);
        for ((actor, _), (begin, call)) in open {
            let reply = Reply::Unknown("nobody is there to tell".to_owned());
            self.ended(actor, (begin, NEVER), call, reply);
        }
        let mut actors: Vec<(u32, String)> = self
            .actors
            .into_iter()
            .map(|(name, no)| (no, name))
            .collect();
        actors.sort_unstable();
        self.facts.actors = actors.into_iter().map(|(_, name)| name).collect();
        self.facts
    }

    fn actor(&mut self, name: String) -> u32 {
        let next = u32::try_from(self.actors.len()).unwrap_or(u32::MAX);
        *self.actors.entry(name).or_insert(next)
    }

    fn run(&mut self, name: &str) -> &mut RunFacts {
        self.facts.runs.entry(name.to_owned()).or_default()
    }

    fn fault(&mut self, at: u64, mark: FaultMark) {
        let faults = &mut self.facts.faults;
        let begun = faults.iter().rposition(|fault| fault.number == mark.number);
        match (mark.phase, begun) {
            (FaultPhase::Begins, _) => faults.push(Fault {
                number: mark.number,
                kind: mark.kind,
                begin: at,
                healed: None,
            }),
            (FaultPhase::Healed, Some(begun)) => faults[begun].healed = Some(at),
            // It counts as none.
            (FaultPhase::Failed, Some(begun)) => drop(faults.remove(begun)),
            (_, None) => {}
        }
    }

    fn ended(&mut self, actor: u32, (begin, end): (u64, u64), call: Call, reply: Reply) {
        self.facts.spans.push((begin, end));
        match call {
            Call::Append(requests) => {
                self.facts.append_calls += 1;
                let mut answers = match &reply {
                    Reply::Appended(answers) => answers.iter().map(Some).collect(),
                    _ => vec![None; requests.len()],
                }
                .into_iter();
                let stored =
                    |answer: &Option<&Answer>| matches!(answer, Some(Answer::Stored { .. }));
                if answers.as_slice().iter().any(stored) {
                    self.facts.successes.push((end, actor));
                }
                for (at, request) in requests.into_iter().enumerate() {
                    let (outcome, replies) = match answers.next().flatten() {
                        Some(Answer::Stored { head, events }) => {
                            (Outcome::Stored { head: Some(*head) }, events.as_slice())
                        }
                        Some(Answer::Refused(_)) => (Outcome::Refused, &[][..]),
                        None => (outcome_of(&reply), &[][..]),
                    };
                    let write = Write {
                        begin,
                        end,
                        outcome,
                        expected: request.expected,
                        leads: at == 0,
                        events: written(&request.events, replies),
                    };
                    self.run(&request.run).writes.push(write);
                }
            }
            Call::Bootstrap { run, events } => {
                let (outcome, replies) = match &reply {
                    Reply::Bootstrapped(replies) => {
                        (Outcome::Stored { head: None }, replies.as_slice())
                    }
                    other => (outcome_of(other), &[][..]),
                };
                let write = Write {
                    begin,
                    end,
                    outcome,
                    expected: None,
                    leads: false,
                    events: written(&events, replies),
                };
                self.run(&run).writes.push(write);
            }
            Call::Read { run, .. } => {
                if let Reply::Page { head, events, .. } = reply {
                    let facts = self.run(&run);
                    facts.sightings.push(Sighting { begin, end, head });
                    facts.reads.extend(events);
                }
            }
            Call::List { tenant } => {
                if let Reply::Listed(runs) = reply {
                    let home = format!("{tenant}/");
                    let foreign = runs.into_iter().filter(|run| !run.starts_with(&home));
                    self.facts
                        .foreign
                        .extend(foreign.map(|run| (tenant.clone(), run)));
                }
            }
            Call::Claim => {
                if let Reply::Claimed(claims) = reply {
                    for claimed in claims {
                        let claim_no = claimed.claim_no;
                        let run = claimed.run.clone();
                        let claim = Claim {
                            begin,
                            end,
                            claimed,
                        };
                        if self.run(&run).claims.insert(claim_no, claim).is_some() {
                            self.facts.twice_claimed.push((run, claim_no));
                        }
                    }
                }
            }
            Call::Acknowledge(marks) => {
                for (at, (held, through)) in marks.iter().enumerate() {
                    let outcome = lease_outcome(&reply, at);
                    self.ending(
                        held,
                        (begin, end),
                        EndingKind::Acknowledge(*through),
                        outcome,
                    );
                }
            }
            Call::Release(leases) => {
                for (at, held) in leases.iter().enumerate() {
                    let outcome = lease_outcome(&reply, at);
                    self.ending(held, (begin, end), EndingKind::Release, outcome);
                }
            }
            Call::Extend { held, millis } => {
                for (at, held) in held.iter().enumerate() {
                    let outcome = lease_outcome(&reply, at);
                    self.ending(held, (begin, end), EndingKind::Extend { millis }, outcome);
                }
            }
            Call::Fail { held, seq } => {
                let outcome = match reply {
                    Reply::Failed(FailAnswer::BackingOff) => EndingOutcome::Done,
                    Reply::Failed(FailAnswer::Parked(_)) => EndingOutcome::Parked,
                    Reply::Failed(FailAnswer::Skipped(_)) => EndingOutcome::Skipped,
                    Reply::Failed(FailAnswer::Stale(_)) => EndingOutcome::Stale,
                    Reply::Unknown(_) => EndingOutcome::Unknown,
                    _ => EndingOutcome::Refused,
                };
                self.ending(&held, (begin, end), EndingKind::Fail(seq), outcome);
            }
            Call::Prune { .. } => {}
            Call::Operate { run, act } => {
                if matches!(reply, Reply::Operated(_) | Reply::Unknown(_)) {
                    let operation = Operation { begin, end, act };
                    self.run(&run).operations.push(operation);
                }
            }
        }
    }

    fn ending(
        &mut self,
        held: &Held,
        (begin, end): (u64, u64),
        kind: EndingKind,
        outcome: EndingOutcome,
    ) {
        let claim_no = held.1;
        self.run(&held.0).endings.push(Ending {
            claim_no,
            begin,
            end,
            kind,
            outcome,
        });
    }
}

fn written(events: &[NewEvent], replies: &[StoredEvent]) -> Vec<Written> {
    let mut replies = replies.iter().copied();
    let written = events
        .iter()
        .map(|NewEvent(key, fingerprint, event_type)| Written {
            key: fingerprint::key(key),
            fingerprint: *fingerprint,
            kind: kind(event_type),
            reply: replies.next(),
        });
    written.collect()
}

fn kind(event_type: &str) -> u8 {
    let known = EventType::KNOWN
        .iter()
        .position(|known| known.as_str() == event_type);
    known
        .and_then(|at| u8::try_from(at).ok())
        .unwrap_or(u8::MAX)
}

fn outcome_of(reply: &Reply) -> Outcome {
    match reply {
        Reply::Unknown(_) => Outcome::Unknown,
        _ => Outcome::Refused,
    }
}

fn lease_outcome(reply: &Reply, at: usize) -> EndingOutcome {
    match reply {
        Reply::Leases(answers) => match answers.get(at) {
            Some(LeaseAnswer::Done) => EndingOutcome::Done,
            Some(LeaseAnswer::Stale(_)) => EndingOutcome::Stale,
            _ => EndingOutcome::Refused,
        },
        Reply::Unknown(_) => EndingOutcome::Unknown,
        _ => EndingOutcome::Refused,
    }
}
