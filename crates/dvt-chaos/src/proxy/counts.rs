use std::collections::BTreeMap;

/// What a proxy did so far.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Counts {
    /// How many connections came and were let in.
    pub connections: u64,
    /// What was done to them, by [`Fault::kind`](super::Fault::kind).
    pub hits: BTreeMap<&'static str, Hits>,
}

/// How often a fault was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Hits {
    /// Cuts by the connection; faults that last by the request that suffered them.
    pub times: u64,
    /// How many operations were in flight then: begun by the client, and their `ReadyForQuery` not yet passed on.
    pub in_flight: u64,
}

/// How many bytes were passed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Traffic {
    /// Those of requests.
    pub to_server: u64,
    /// Those of replies.
    pub to_client: u64,
}

impl Traffic {
    /// What came after an earlier moment.
    #[must_use]
    pub fn since(self, earlier: Self) -> Self {
        Self {
            to_server: self.to_server - earlier.to_server,
            to_client: self.to_client - earlier.to_client,
        }
    }
}
