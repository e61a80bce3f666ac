//! What an event says, as a number.

use std::hash::{DefaultHasher, Hash, Hasher};

use dvt_contracts::Event;

/// All that an event says but its key, as it is stored.
#[derive(Debug, Hash)]
pub(crate) struct Content<'a> {
    pub(crate) event_type: &'a str,
    pub(crate) step_id: Option<&'a str>,
    pub(crate) logical_attempt: i64,
    pub(crate) engine_attempt: i64,
    /// In microseconds.
    pub(crate) emitted_at: i64,
    pub(crate) payload: &'a str,
}

impl Content<'_> {
    /// Equal for equal contents, in every process of this program.
    pub(crate) fn fingerprint(&self) -> u64 {
        number(self)
    }
}

/// The fingerprint of an event.
pub(crate) fn of(event: &Event) -> u64 {
    let content = Content {
        event_type: event.event_type().as_str(),
        step_id: event.step_id().map(AsRef::as_ref),
        logical_attempt: event.logical_attempt().get().into(),
        engine_attempt: event.engine_attempt().get().into(),
        emitted_at: event.emitted_at().as_micros(),
        payload: event.payload().as_str(),
    };
    content.fingerprint()
}

/// A key as a number, for tables of millions of them.
pub(crate) fn key(text: &str) -> u64 {
    number(&text)
}

fn number(value: &impl Hash) -> u64 {
    // It begins with the same state each time, unlike the hasher of a `HashMap`.
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}
