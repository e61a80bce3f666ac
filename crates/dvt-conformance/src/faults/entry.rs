use dvt_contracts::Event;

/// An event that somebody sent, and what came of it.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) event: Event,
    /// The request that it was first sent with.
    pub(super) request: u64,
    /// When it was first sent.
    pub(super) sent: u64,
    pub(super) acknowledged: Option<Acknowledged>,
    /// Whether some try has an unknown outcome.
    pub(super) may_be_there: bool,
    /// Whether a reply said that it was written by its call.
    pub(super) appended: bool,
}

/// The first reply that told of the event.
#[derive(Debug, Clone, Copy)]
pub(super) struct Acknowledged {
    pub(super) at: u64,
    pub(super) run_seq: u64,
}
