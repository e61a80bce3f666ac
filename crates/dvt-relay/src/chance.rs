use std::hash::{BuildHasher as _, RandomState};
use std::time::Duration;

/// A span below the ceiling, evenly spread. Nothing secret hangs on it.
pub(crate) fn below(ceiling: Duration) -> Duration {
    let entropy = u128::from(RandomState::new().hash_one(()));
    let nanos = (ceiling.as_nanos().min(u128::from(u64::MAX)) * entropy) >> 64;
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}
