use std::fmt;
use std::time::Duration;

/// What must hold, whatever happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Invariant {
    /// Each log is 1, 2, 3 … and holds what producers were told, once, as they sent it.
    GaplessLog,
    /// A claim gives the events after the cursor, of a run that is not parked.
    ClaimsFollowTheCursor,
    /// No claim of a run while another lease on it stands.
    OneLease,
    /// A lease that was used, released or stolen changes nothing.
    StaleMarksChangeNothing,
    /// Claims and failed attempts are counted exactly, and no event is charged that the sink did not fail on.
    Accounting,
    /// The cursor passes what the sink has stored or what was skipped, nothing else.
    StoredBeforeAcknowledged,
    /// The first arrival of an event comes after those of all events before it, but for skipped ones.
    FirstArrivalsInOrder,
    /// A skipped event goes out under no claim that was made after that.
    SkippedStaysSkipped,
    /// The sink is called under a lease that stands, as far as the relay can know.
    CalledUnderALease,
    /// Log = delivered + pending + dead, without overlap.
    EveryEventHasOnePlace,
    /// A relay ends when it is told to, and not by itself.
    RelaysGoOn,
    /// After everything is healed all is delivered within a bounded time.
    DrainsInTime,
    /// After that every event has arrived, or was skipped.
    AtLeastOnce,
}

/// The first thing that did not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Violation {
    pub(crate) at: Duration,
    pub(crate) invariant: Invariant,
    pub(crate) text: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            at,
            invariant,
            text,
        } = self;
        write!(f, "{invariant:?} at {:.3} s: {text}", at.as_secs_f64())
    }
}
