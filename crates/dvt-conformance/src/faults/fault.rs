use std::fmt;

/// What is done to a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fault {
    /// An error before the work: nothing happens, and the answer says so (class `Transient`; a sink is `Unavailable`).
    Refused,
    /// The request is lost: nothing happens, and the answer is `Unknown`.
    RequestLost,
    /// The reply is lost: the work is done, and the answer is `Unknown`.
    ReplyLost,
    /// A sink stores a part of the events. Whether it says how many, or answers `Unknown`, the seed decides. Stores do wholly or
    /// not at all, so they are spared.
    Cut,
    /// The work is done after a while, and its answer comes after another.
    Delayed,
    /// The work's future is dropped at one of its awaits, and the answer is `Unknown`.
    Dropped,
}

impl Fault {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Refused,
        Self::RequestLost,
        Self::ReplyLost,
        Self::Cut,
        Self::Delayed,
        Self::Dropped,
    ];

    /// Those that stores are met with.
    pub const OF_STORES: [Self; 5] = [
        Self::Refused,
        Self::RequestLost,
        Self::ReplyLost,
        Self::Delayed,
        Self::Dropped,
    ];
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Refused => "refused",
            Self::RequestLost => "request lost",
            Self::ReplyLost => "reply lost",
            Self::Cut => "cut short",
            Self::Delayed => "delayed",
            Self::Dropped => "dropped",
        })
    }
}

/// The cause of an error that a wrapper made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Injected(pub Fault);

impl fmt::Display for Injected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "an injected fault: {}", self.0)
    }
}

impl std::error::Error for Injected {}
