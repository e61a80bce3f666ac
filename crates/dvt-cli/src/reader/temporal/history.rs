use dvt_contracts::{InvalidTimestamp, Timestamp};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::reader::fields::Fields;
use crate::reader::json_error;

/// A workflow history.
#[derive(Debug)]
pub(super) struct History<'a> {
    /// Its events, in their order; the first one is the start.
    pub(super) events: Vec<HistoryEvent<'a>>,
}

/// One event of it.
#[derive(Debug)]
pub(super) struct HistoryEvent<'a> {
    /// Its number.
    pub(super) id: u64,
    /// When it happened.
    pub(super) time: Timestamp,
    /// What happened, such as `ActivityTaskStarted`.
    pub(super) kind: String,
    /// What is particular to it.
    pub(super) attributes: Fields<'a>,
}

#[derive(Deserialize)]
struct Written<'a> {
    #[serde(borrow)]
    events: Option<Vec<&'a RawValue>>,
}

impl<'a> History<'a> {
    pub(super) fn parse(text: &'a str) -> Result<Self, String> {
        let written: Written<'a> =
            serde_json::from_str(text).map_err(|error| json_error::reason(&error))?;
        let Some(events) = written.events else {
            return Err("expected a workflow history, found an object without events".into());
        };
        let events = events.into_iter().map(HistoryEvent::parse);
        let events: Vec<_> = events.collect::<Result<_, _>>()?;
        match events.first() {
            Some(first) if first.kind == "WorkflowExecutionStarted" => Ok(Self { events }),
            Some(first) => Err(format!(
                "expected a history from its beginning, found {} as its first event",
                first.kind
            )),
            None => Err("the history has no events".into()),
        }
    }

    /// The run id of the execution. The start tells that of the execution that wrote it, and a reset workflow begins with a
    /// copy of another's events: from its reset on it has an id of its own.
    pub(super) fn run_id(&self) -> Option<String> {
        let reset = self.events.iter().rev().find_map(|event| {
            let reset = "WORKFLOW_TASK_FAILED_CAUSE_RESET_WORKFLOW";
            let is_reset = event.kind == "WorkflowTaskFailed"
                && event.attributes.text("cause").as_deref() == Some(reset);
            event.attributes.text("newRunId").filter(|_| is_reset)
        });
        let started = &self.events.first()?.attributes;
        reset
            .or_else(|| started.text("originalExecutionRunId"))
            .filter(|id| !id.is_empty())
    }
}

impl<'a> HistoryEvent<'a> {
    fn parse(raw: &'a RawValue) -> Result<Self, String> {
        let fields = Fields::of(Some(raw));
        let id = fields
            .number("eventId")
            .ok_or("found an event without eventId")?;
        let missing = |name: &str| format!("event {id}: found no {name}");
        let time = fields
            .text("eventTime")
            .ok_or_else(|| missing("eventTime"))?;
        let time = time
            .parse()
            .map_err(|error: InvalidTimestamp| format!("event {id}: eventTime: {error}"))?;
        let kind = fields
            .text("eventType")
            .ok_or_else(|| missing("eventType"))?;
        let attributes = fields
            .iter()
            .find(|(name, _)| name.ends_with("EventAttributes"))
            .map(|(_, raw)| raw);
        Ok(Self {
            id,
            time,
            kind: in_words(&kind),
            attributes: Fields::of(attributes),
        })
    }
}

/// `EVENT_TYPE_TIMER_FIRED` as `TimerFired`, which is how older versions write it.
fn in_words(kind: &str) -> String {
    let Some(kind) = kind.strip_prefix("EVENT_TYPE_") else {
        return kind.to_owned();
    };
    let word = |word: &str| {
        let mut letters = word.chars();
        let first = letters.next().map(|letter| letter.to_ascii_uppercase());
        let rest = letters.map(|letter| letter.to_ascii_lowercase());
        first.into_iter().chain(rest).collect::<String>()
    };
    kind.split('_').map(word).collect()
}
