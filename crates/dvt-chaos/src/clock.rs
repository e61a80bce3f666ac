//! One clock for all processes of a campaign.

use rustix::time::{ClockId, clock_gettime};

/// Microseconds since the machine started: the same in every process, and never set back.
pub(crate) fn now() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    let seconds = u64::try_from(now.tv_sec).unwrap_or_default();
    seconds * 1_000_000 + u64::try_from(now.tv_nsec).unwrap_or_default() / 1_000
}
