use std::time::Duration;

use uuid::Uuid;

/// A span below the ceiling, evenly spread, in microseconds. At most some hours.
pub(crate) fn below(ceiling: Duration) -> Duration {
    let ceiling = u64::try_from(ceiling.as_micros()).unwrap_or(u64::MAX);
    // The bits of a random UUID that are random.
    Duration::from_micros(Uuid::new_v4().as_u64_pair().1 % ceiling.max(1))
}
