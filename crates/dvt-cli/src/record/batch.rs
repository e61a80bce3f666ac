use dvt_contracts::{
    AppendRequest, Event, Expected, MAX_CALL_BYTES, MAX_CALL_EVENTS, ProviderRef, RunKey,
};

use crate::reader::Record;

/// Events on their way to the store: as many as one call takes, in the order of the input.
#[derive(Debug, Default)]
pub(super) struct Batch {
    parts: Vec<Part>,
    events: usize,
    bytes: usize,
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
    pub(super) fn has_room_for(&self, event: &Event) -> bool {
        self.events < MAX_CALL_EVENTS && self.bytes + event.payload().size() <= MAX_CALL_BYTES
    }

    /// Adds an event: consecutive events of a run are one request.
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
        match self.parts.last_mut() {
            Some(part) if part.takes_more(&run) && run_seq.is_none() => {
                part.request.events.push(event);
                part.sources.push(source);
            }
            _ => self.parts.push(Part::new(run, event, source)),
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

    fn takes_more(&self, run: &RunKey) -> bool {
        self.request.expected == Expected::Any && self.request.run == *run
    }

    /// The same events, each in a request of its own.
    pub(super) fn apart(self) -> impl Iterator<Item = Self> {
        let AppendRequest { run, events, .. } = self.request;
        let sources = self.sources.into_iter();
        events
            .into_iter()
            .zip(sources)
            .map(move |(event, source)| Self::new(run.clone(), event, source))
    }
}
