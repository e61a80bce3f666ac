use std::collections::{BTreeMap, HashMap};
use std::io::BufRead;

use dvt_contracts::EventType;

use crate::fingerprint;
use crate::history::{
    Answer, Arrival, Call, Claimed, Entry, FailAnswer, FaultMark, Health, Held, LeaseAnswer,
    NewEvent, OperatorAct, Record, Reply, StoredEvent,
};

/// No end is known: whoever began it is gone.
pub(crate) const NEVER: u64 = u64::MAX;

/// What a history tells, run by run.
#[derive(Debug, Default)]
pub(crate) struct Facts {
    pub(crate) runs: HashMap<String, RunFacts>,
    pub(crate) faults: Vec<Fault>,
    /// When each operation began and ended.
    pub(crate) spans: Vec<(u64, u64)>,
    /// When each append succeeded, and whose it was.
    pub(crate) successes: Vec<(u64, u32)>,
    pub(crate) append_calls: u64,
    /// Runs of other tenants that a listing named.
    pub(crate) foreign: Vec<(String, String)>,
    /// Claims that were handed out twice under one number.
    pub(crate) twice_claimed: Vec<(String, u64)>,
    pub(crate) long_freezes: Vec<u64>,
    pub(crate) healed: Option<u64>,
    pub(crate) drained: Option<(u64, u64)>,
    pub(crate) health: Option<Health>,
    pub(crate) actors: Vec<String>,
}

/// What happened to a run.
#[derive(Debug, Default)]
pub(crate) struct RunFacts {
    pub(crate) writes: Vec<Write>,
    /// Heads that readers saw.
    pub(crate) sightings: Vec<Sighting>,
    /// Number and fingerprint of the events that readers saw.
    pub(crate) reads: Vec<(u64, u64)>,
    pub(crate) claims: BTreeMap<u64, Claim>,
    pub(crate) endings: Vec<Ending>,
    pub(crate) operations: Vec<Operation>,
    /// In the order in which the sink got them.
    pub(crate) arrivals: Vec<Arrived>,
}

/// A request of an append, or a bootstrap.
#[derive(Debug)]
pub(crate) struct Write {
    pub(crate) begin: u64,
    pub(crate) end: u64,
    pub(crate) outcome: Outcome,
    pub(crate) expected: Option<u64>,
    /// The first request of its call.
    pub(crate) leads: bool,
    pub(crate) events: Vec<Written>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    Stored { head: Option<u64> },
    Refused,
    Unknown,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Written {
    pub(crate) key: u64,
    pub(crate) fingerprint: u64,
    /// Its place in [`EventType::KNOWN`].
    pub(crate) kind: u8,
    pub(crate) reply: Option<StoredEvent>,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Sighting {
    pub(crate) begin: u64,
    pub(crate) end: u64,
    pub(crate) head: u64,
}

#[derive(Debug)]
pub(crate) struct Claim {
    pub(crate) begin: u64,
    pub(crate) end: u64,
    pub(crate) claimed: Claimed,
}

/// An attempt to end a lease, or to lengthen it.
#[derive(Debug)]
pub(crate) struct Ending {
    pub(crate) claim_no: u64,
    pub(crate) begin: u64,
    pub(crate) end: u64,
    pub(crate) kind: EndingKind,
    pub(crate) outcome: EndingOutcome,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EndingKind {
    Acknowledge(u64),
    Fail(u64),
    Release,
    Extend { millis: u64 },
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum EndingOutcome {
    Done,
    Parked,
    Skipped,
    Stale,
    Refused,
    Unknown,
}

/// What an operator did, or may have done.
#[derive(Debug)]
pub(crate) struct Operation {
    pub(crate) begin: u64,
    pub(crate) end: u64,
    pub(crate) act: OperatorAct,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Arrived {
    pub(crate) seq: u64,
    pub(crate) key: u64,
    pub(crate) fingerprint: u64,
}

#[derive(Debug, Clone)]
pub(crate) struct Fault {
    pub(crate) number: u64,
    pub(crate) kind: String,
    pub(crate) begin: u64,
    /// `None` if it never was.
    pub(crate) healed: Option<u64>,
}

/// Operations that have begun.
type Open = HashMap<(u32, u64), (u64, Call)>;

impl Facts {
    /// Reads a history.
    pub(crate) fn read(
        lines: impl BufRead,
    ) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        let mut reader = Reader::default();
        for (at, line) in lines.lines().enumerate() {
            let entry: Entry = serde_json::from_str(&line?)
                .map_err(|error| format!("line {} of the history: {error}", at + 1))?;
            reader.take(entry);
        }
        Ok(reader.finish())
    }

    /// The same from entries at hand.
    #[cfg(test)]
    pub(crate) fn of(entries: impl IntoIterator<Item = Entry>) -> Self {
        let mut reader = Reader::default();
        entries.into_iter().for_each(|entry| reader.take(entry));
        reader.finish()
    }
}

#[derive(Debug, Default)]
struct Reader {
    facts: Facts,
    open: Open,
    actors: HashMap<String, u32>,
}

impl Reader {
    fn take(&mut self, Entry(at, by, record): Entry) {
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
    fn finish(mut self) -> Facts {
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
        if !mark.healed {
            self.facts.faults.push(Fault {
                number: mark.number,
                kind: mark.kind,
                begin: at,
                healed: None,
            });
        } else if let Some(fault) = self
            .facts
            .faults
            .iter_mut()
            .rev()
            .find(|fault| fault.number == mark.number)
        {
            fault.healed = Some(at);
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
