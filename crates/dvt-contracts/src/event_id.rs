use std::fmt;

use uuid::Uuid;

use crate::idempotency_key::IdempotencyKey;
use crate::run_key::RunKey;

/// The identity of an event for the outside: consumers deduplicate by it.
///
/// Derived, never chosen: a UUIDv5 over `tenant_id|run_id|idempotency_key`, so a retry from anywhere
/// means the same event to every consumer, and no store needs a column for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventId(Uuid);

impl EventId {
    /// The UUIDv5 namespace of event ids. It never changes.
    pub const NAMESPACE: Uuid = Uuid::from_u128(0x8f1d_3c52_6a0e_4b7b_9d2f_5e64_c1a7_0b39);

    /// The id of the event that `key` names within `run`.
    #[must_use]
    pub fn derive(run: &RunKey, key: &IdempotencyKey) -> Self {
        // Neither identifier can hold a `|`, and the key comes last: the name is unambiguous.
        let name = format!("{}|{}|{}", run.tenant_id, run.run_id, key);
        Self(Uuid::new_v5(&Self::NAMESPACE, name.as_bytes()))
    }

    /// The id as a UUID.
    #[must_use]
    pub fn as_uuid(self) -> Uuid {
        self.0
    }
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
