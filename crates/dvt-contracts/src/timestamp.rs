use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// A moment: UTC, whole microseconds, from 1970-01-01 to the end of the year 9999.
///
/// Finer digits are cut off, never rounded, so no moment moves into the next second, let alone into
/// the year 10000. An offset is converted to UTC. Leap seconds (`:60`) are refused, since no
/// database keeps them apart from the second that follows.
///
/// ```
/// use dvt_contracts::Timestamp;
///
/// let moment: Timestamp = "2026-01-02T03:04:05.123456789+01:00".parse()?;
/// assert_eq!(moment.to_string(), "2026-01-02T02:04:05.123456Z");
/// # Ok::<(), dvt_contracts::InvalidTimestamp>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Timestamp(i64);

/// A value that is no [`Timestamp`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidTimestamp {
    /// The text is no RFC 3339 date and time.
    #[error("{found:?} is no RFC 3339 date and time: write it like 2026-01-02T03:04:05.123456Z")]
    Malformed {
        /// The text, cut after 64 characters.
        found: String,
    },
    /// A leap second.
    #[error("{found:?} is a leap second: write the second before or after it")]
    LeapSecond {
        /// The text, cut after 64 characters.
        found: String,
    },
    /// The moment lies outside the range.
    #[error("{micros} µs since 1970 is out of range: years 1970 to 9999 are allowed")]
    OutOfRange {
        /// Microseconds since 1970-01-01T00:00:00Z.
        micros: i128,
    },
}

impl Timestamp {
    /// 1970-01-01T00:00:00Z.
    pub const MIN: Self = Self(0);
    /// 9999-12-31T23:59:59.999999Z.
    pub const MAX: Self = Self(253_402_300_799_999_999);

    /// The moment that many microseconds after 1970-01-01T00:00:00Z.
    ///
    /// # Errors
    /// [`InvalidTimestamp::OutOfRange`] below [`Timestamp::MIN`] or above [`Timestamp::MAX`].
    pub fn from_micros(micros: impl Into<i128>) -> Result<Self, InvalidTimestamp> {
        let micros = micros.into();
        i64::try_from(micros)
            .ok()
            .map(Self)
            .filter(|moment| (Self::MIN..=Self::MAX).contains(moment))
            .ok_or(InvalidTimestamp::OutOfRange { micros })
    }

    /// Microseconds since 1970-01-01T00:00:00Z.
    #[must_use]
    pub fn as_micros(self) -> i64 {
        self.0
    }

    /// This machine's clock, held within the range.
    #[must_use]
    pub fn now() -> Self {
        let micros = OffsetDateTime::now_utc().unix_timestamp_nanos() / 1_000;
        Self::from_micros(micros).unwrap_or(if micros < 0 { Self::MIN } else { Self::MAX })
    }

    /// The moment `by` later, or [`Timestamp::MAX`].
    #[must_use]
    pub fn saturating_add(self, by: Duration) -> Self {
        let by = i64::try_from(by.as_micros()).unwrap_or(i64::MAX);
        Self(self.0.saturating_add(by)).min(Self::MAX)
    }

    /// How long after `earlier` this is; zero if it is not after it.
    #[must_use]
    pub fn saturating_since(self, earlier: Self) -> Duration {
        Duration::from_micros(u64::try_from(self.0 - earlier.0).unwrap_or(0))
    }
}

impl FromStr for Timestamp {
    type Err = InvalidTimestamp;

    fn from_str(text: &str) -> Result<Self, InvalidTimestamp> {
        let found = || text.chars().take(64).collect::<String>();
        // `time` would accept a leap second and move it; `:60` stands at one place only.
        if text.as_bytes().get(16..19) == Some(b":60") {
            return Err(InvalidTimestamp::LeapSecond { found: found() });
        }
        let parsed = OffsetDateTime::parse(text, &Rfc3339)
            .map_err(|_| InvalidTimestamp::Malformed { found: found() })?;
        Self::try_from(parsed)
    }
}

impl TryFrom<OffsetDateTime> for Timestamp {
    type Error = InvalidTimestamp;
    fn try_from(moment: OffsetDateTime) -> Result<Self, InvalidTimestamp> {
        Self::from_micros(moment.unix_timestamp_nanos().div_euclid(1_000))
    }
}

impl From<Timestamp> for OffsetDateTime {
    fn from(moment: Timestamp) -> Self {
        // The range of Timestamp lies within that of OffsetDateTime.
        Self::from_unix_timestamp_nanos(i128::from(moment.0) * 1_000).unwrap_or(Self::UNIX_EPOCH)
    }
}

impl TryFrom<String> for Timestamp {
    type Error = InvalidTimestamp;
    fn try_from(text: String) -> Result<Self, InvalidTimestamp> {
        text.parse()
    }
}

impl From<Timestamp> for String {
    fn from(moment: Timestamp) -> String {
        moment.to_string()
    }
}

impl fmt::Display for Timestamp {
    /// RFC 3339 in UTC with six digits, so moments order as text.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let moment = OffsetDateTime::from(*self);
        write!(
            f,
            "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:06}Z",
            moment.year(),
            u8::from(moment.month()),
            moment.day(),
            moment.hour(),
            moment.minute(),
            moment.second(),
            moment.microsecond(),
        )
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
