use std::collections::HashMap;

use dvt_contracts::{
    AppendRequest, Event, Expected, MAX_CALL_BYTES, MAX_CALL_EVENTS, ProviderRef, RunKey,
};

use crate::reader::Record;

/// Events on their way to the store: as many as one call takes, those of each run in the order of the input.
#[derive(Debug, Default)]
pub(super) struct Batch {
    parts: Vec<Part>,
    runs: HashMap<RunKey, Requests>,
    events: usize,
    bytes: usize,
}

/// How the events of a run go out.
#[derive(Debug, Clone, Copy)]
enum Requests {
    /// In one request, the part with this index: nothing of the run comes after it, should it be refused.
    One(usize),
    /// Each with its number, in a request of its own.
    Numbered,
}

/// One request, and where its events come from.
#[derive(Debug)]
pub(super) struct Part {
    /// The request.
    pub(super) request: AppendRequest,
    /// One entry for each of its events.
    pub(super) sources: Vec<Source>,
}

/// What a line says beyond its event.
#[derive(Debug)]
pub(super) struct Source {
    /// The line's number.
    pub(super) line: u64,
    /// The `run_seq` that the event must have.
    pub(super) run_seq: Option<u64>,
    /// Where the provider knows the run.
    pub(super) provider_ref: Option<ProviderRef>,
}

impl Batch {
    /// Whether the event still goes into the same call.
    pub(super) fn has_room_for(&self, record: &Record) -> bool {
        let requests = self.runs.get(&record.run);
        let fits_the_others = requests.is_none_or(|requests| {
            matches!(requests, Requests::Numbered) == record.run_seq.is_some()
        });
        fits_the_others
            && self.events < MAX_CALL_EVENTS
            && self.bytes + record.event.payload().size() <= MAX_CALL_BYTES
    }

    /// Adds an event: those of a run are one request.
    ///
    /// An event with a given `run_seq` is a request of its own, on the condition that the log ends right before it. So
    /// the store itself refuses a wrong number, whoever else writes, and a repetition is still a duplicate.
    pub(super) fn push(&mut self, record: Record) {
        let Record {
            line,
            run,
            event,
            run_seq,
            provider_ref,
            metadata: _,
        } = record;
        self.events += 1;
        self.bytes += event.payload().size();
        let source = Source {
            line,
            run_seq,
            provider_ref,
        };
        let part = match self.runs.get(&run) {
            Some(Requests::One(at)) => self.parts.get_mut(*at),
            Some(Requests::Numbered) => None,
            None => {
                let requests = match run_seq {
                    Some(_) => Requests::Numbered,
                    None => Requests::One(self.parts.len()),
                };
                self.runs.insert(run.clone(), requests);
                None
            }
        };
        match part {
            Some(part) => {
                part.request.events.push(event);
                part.sources.push(source);
            }
            None => self.parts.push(Part::new(run, event, source)),
        }
    }

    /// Takes everything out.
    pub(super) fn take(&mut self) -> Vec<Part> {
        std::mem::take(self).parts
    }
}

impl Part {
    fn new(run: RunKey, event: Event, source: Source) -> Self {
        let expected = source
            .run_seq
            .map_or(Expected::Any, |seq| Expected::At(seq.saturating_sub(1)));
        let request = AppendRequest::new(run, vec![event]).expecting(expected);
        Self {
            request,
            sources: vec![source],
        }
    }

    /// Its beginning and its end, in a request each. One event is both.
    pub(super) fn halves(mut self) -> Result<(Self, Self), Self> {
        let half = self.sources.len() / 2;
        if half == 0 {
            return Err(self);
        }
        let AppendRequest { run, events, .. } = &mut self.request;
        let request = AppendRequest::new(run.clone(), events.split_off(half));
        let sources = self.sources.split_off(half);
        Ok((self, Self { request, sources }))
    }
}
