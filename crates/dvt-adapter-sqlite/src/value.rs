//! Values as columns hold them.

use dvt_contracts::{RunKey, Timestamp};

use crate::fault::Fault;

/// A moment, stored as microseconds since 1970.
pub(crate) fn moment(micros: i64) -> Result<Timestamp, Fault> {
    Timestamp::from_micros(micros).map_err(|error| Fault::corrupt("moment", error))
}

/// A moment that may be missing.
pub(crate) fn moment_if(micros: Option<i64>) -> Result<Option<Timestamp>, Fault> {
    micros.map(moment).transpose()
}

/// A number that counts.
pub(crate) fn count(number: i64) -> Result<u64, Fault> {
    u64::try_from(number).map_err(|error| Fault::corrupt("count", error))
}

/// A number that counts, in 32 bits.
pub(crate) fn count32(number: i64) -> Result<u32, Fault> {
    u32::try_from(number).map_err(|error| Fault::corrupt("count", error))
}

/// A number for an INTEGER column. What lies beyond is greater than anything stored, and stays so.
pub(crate) fn integer(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// A text that was validated when it was stored.
pub(crate) fn text<T: std::str::FromStr<Err: std::fmt::Display>>(
    what: &str,
    text: &str,
) -> Result<T, Fault> {
    text.parse().map_err(|error| Fault::corrupt(what, error))
}

/// A run's key.
pub(crate) fn run_key(tenant_id: &str, run_id: &str) -> Result<RunKey, Fault> {
    Ok(RunKey::new(
        text("tenant id", tenant_id)?,
        text("run id", run_id)?,
    ))
}
