use std::collections::HashSet;

use dvt_contracts::{
    AppendError, AppendOutcome, AppendRequest, Appended, Event, Expected, IllegalTransition,
    RunEvent, RunKey, RunState, Timestamp,
};

use super::ATTEMPTS;
use super::states::Known;

/// The head that no run has: a request that expects it is answered if all its keys are known, and refused otherwise.
const NOWHERE: Expected = Expected::At(u64::MAX);

type Reply = Result<AppendOutcome, AppendError>;

/// A request on its way through the guard.
#[derive(Debug)]
pub(super) struct Proposal<'a> {
    request: &'a AppendRequest,
    attempts: u32,
    /// Whether the state that it was judged by turned out to be old, or missing.
    wants_news: bool,
    keys: Keys,
    asked: Asked,
    reply: Option<Reply>,
}

/// What is known about the keys of a request.
#[derive(Debug)]
enum Keys {
    /// Nothing, and nothing depends on it so far.
    Unasked,
    /// Which of them the store knows matters.
    Wanted,
    /// The store refuses one of the events whatever the others are.
    Refused,
    /// What the store had of each event when it was asked.
    Known(Vec<Option<Appended>>),
}

/// What the store was asked last.
#[derive(Debug)]
enum Asked {
    Nothing,
    /// For the run, which seemed to be missing.
    Absent,
    /// For all of it, since nothing of it can be appended.
    Whole,
    /// For duplicates of what expects another head than the log has.
    Elsewhere {
        expected: u64,
    },
    /// To append what is legal, on condition of the head.
    Append,
    /// For duplicates of what is illegal in a log with this head.
    Illegal {
        illegal: Box<IllegalTransition>,
        head: u64,
    },
    /// Which events it knows.
    Keys,
}

impl<'a> Proposal<'a> {
    pub(super) fn new(request: &'a AppendRequest) -> Self {
        Self {
            request,
            attempts: 0,
            wants_news: false,
            keys: Keys::Unasked,
            asked: Asked::Nothing,
            reply: None,
        }
    }

    pub(super) fn run(&self) -> &'a RunKey {
        &self.request.run
    }

    pub(super) fn is_settled(&self) -> bool {
        self.reply.is_some()
    }

    pub(super) fn into_reply(self) -> Option<Reply> {
        self.reply
    }

    pub(super) fn wants_news(&self) -> bool {
        self.wants_news
    }

    /// Judges by what is known of the run, and says what to send: nothing, if that has to be read first.
    pub(super) fn next(&mut self, run: &Known) -> Vec<AppendRequest> {
        let is_new = std::mem::take(&mut self.wants_news);
        let Some(state) = run.state() else {
            if !is_new {
                self.wants_news = true;
                return Vec::new();
            }
            self.asked = Asked::Absent;
            return vec![self.nowhere(self.request.events.clone())];
        };
        // An event that the log has already, under the same key, must not make those after it look legal, or illegal.
        let events = &self.request.events;
        if matches!(self.keys, Keys::Unasked) && distinct(events) > 1 && !run.are_new(events) {
            self.keys = Keys::Wanted;
        }
        if matches!(self.keys, Keys::Wanted) {
            self.asked = Asked::Keys;
            let events = self.request.events.iter();
            return events
                .map(|event| self.nowhere(vec![event.clone()]))
                .collect();
        }
        let fresh = self.fresh();
        if fresh.is_empty() {
            // All of it is known, or refused: the store tells that with the head of now.
            self.keys = Keys::Unasked;
            self.asked = Asked::Whole;
            return vec![self.nowhere(self.request.events.clone())];
        }
        let head = state.last_seq();
        if let Expected::At(expected) = self.request.expected
            && expected != head
        {
            if !is_new {
                self.wants_news = true;
                return Vec::new();
            }
            self.asked = Asked::Elsewhere { expected };
            return vec![self.nowhere(fresh)];
        }
        match judged(state, &fresh) {
            Ok(()) => {
                self.asked = Asked::Append;
                vec![self.nowhere(fresh).expecting(Expected::At(head))]
            }
            Err(illegal) => {
                let illegal = Box::new(illegal);
                self.asked = Asked::Illegal { illegal, head };
                vec![self.nowhere(fresh)]
            }
        }
    }

    /// A request for these events that appends nothing.
    fn nowhere(&self, events: Vec<Event>) -> AppendRequest {
        AppendRequest {
            run: self.request.run.clone(),
            expected: NOWHERE,
            on_conflict: self.request.on_conflict,
            events,
        }
    }

    /// The events that the store may not know.
    fn fresh(&self) -> Vec<Event> {
        let events = self.request.events.iter();
        match &self.keys {
            Keys::Unasked | Keys::Wanted => events.cloned().collect(),
            Keys::Refused => Vec::new(),
            Keys::Known(known) => events
                .zip(known)
                .filter(|(_, known)| known.is_none())
                .map(|(event, _)| event.clone())
                .collect(),
        }
    }

    /// Takes in the replies. `false`: others were faster too often.
    pub(super) fn hear(&mut self, replies: Vec<Reply>) -> bool {
        let asked = std::mem::replace(&mut self.asked, Asked::Nothing);
        if let Asked::Keys = asked {
            self.hear_keys(replies);
            return true;
        }
        let Some(reply) = replies.into_iter().next() else {
            return true;
        };
        match (asked, reply) {
            (
                Asked::Illegal { illegal, head },
                Err(AppendError::VersionConflict { actual, .. }),
            ) => {
                self.hear_unknown_keys(illegal, head, actual);
            }
            (Asked::Absent | Asked::Whole, Err(AppendError::VersionConflict { .. })) => {
                self.begin_again();
            }
            (Asked::Elsewhere { expected }, Err(AppendError::VersionConflict { actual, .. })) => {
                self.hear_head(expected, actual);
            }
            (Asked::Append, Err(AppendError::VersionConflict { .. }))
                if self.request.expected == Expected::Any =>
            {
                self.begin_again();
            }
            (_, Ok(outcome)) => {
                self.reply = Some(Ok(self.merged(outcome.head, outcome.events)));
            }
            (_, Err(error)) => self.reply = Some(Err(error)),
        }
        self.attempts <= ATTEMPTS
    }

    /// Somebody else has written, or the state was old: everything is judged anew.
    fn begin_again(&mut self) {
        self.attempts += 1;
        self.wants_news = true;
        if let Keys::Known(_) = self.keys {
            self.keys = Keys::Wanted;
        }
    }

    /// What is illegal is new, if the log still ends where it was judged.
    fn hear_unknown_keys(&mut self, illegal: Box<IllegalTransition>, head: u64, actual: u64) {
        if actual != head {
            self.begin_again();
            return;
        }
        let run = self.request.run.clone();
        self.reply = Some(Err(AppendError::IllegalTransition { run, illegal }));
    }

    /// Some of the keys of what expects another head are new, and this is the head.
    fn hear_head(&mut self, expected: u64, actual: u64) {
        if actual == expected {
            self.begin_again();
            return;
        }
        let run = self.request.run.clone();
        self.reply = Some(Err(AppendError::VersionConflict {
            run,
            expected,
            actual,
        }));
    }

    fn hear_keys(&mut self, replies: Vec<Reply>) {
        let mut known = Vec::new();
        for reply in replies {
            match reply {
                Ok(outcome) => known.push(outcome.events.into_iter().next()),
                Err(AppendError::VersionConflict { .. }) => known.push(None),
                // The request is refused for one of its events: for which, the store tells when it has all of it.
                Err(_) => {
                    self.keys = Keys::Refused;
                    return;
                }
            }
        }
        self.keys = Keys::Known(known);
    }

    /// The reply for all events, of which these were sent.
    fn merged(&self, head: u64, sent: Vec<Appended>) -> AppendOutcome {
        let Keys::Known(known) = &self.keys else {
            return AppendOutcome { head, events: sent };
        };
        let mut sent = sent.into_iter();
        let events = known
            .iter()
            .filter_map(|known| known.clone().or_else(|| sent.next()));
        AppendOutcome {
            head,
            events: events.collect(),
        }
    }
}

/// Judges events one after another, as if each were appended.
pub(super) fn judged(state: &RunState, events: &[Event]) -> Result<(), IllegalTransition> {
    let [event] = events else {
        let mut state = state.clone();
        let mut keys = HashSet::new();
        for event in events {
            // The first use of a key counts.
            if !keys.insert(event.idempotency_key()) {
                continue;
            }
            state.judge(event)?;
            state.fold(&RunEvent {
                run_seq: state.last_seq() + 1,
                // No rule asks for it.
                persisted_at: Timestamp::MIN,
                event: event.clone(),
            });
        }
        return Ok(());
    };
    state.judge(event)
}

fn distinct(events: &[Event]) -> usize {
    let keys: HashSet<_> = events.iter().map(Event::idempotency_key).collect();
    keys.len()
}
