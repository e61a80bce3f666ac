use std::fmt;
use std::num::NonZeroU32;

use serde::{Deserialize, Serialize};

/// The number of an attempt: 1 to 2,147,483,647.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "u32", try_from = "u32")]
pub struct Attempt(NonZeroU32);

/// A number that is no attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "attempt {found} is out of range: attempts count from 1 to {}",
    Attempt::MAX
)]
pub struct InvalidAttempt {
    /// The number given.
    pub found: u64,
}

impl Attempt {
    /// The first attempt.
    pub const FIRST: Self = Self(NonZeroU32::MIN);

    /// The highest number: what every database can hold in a signed 32-bit integer.
    pub const MAX: u32 = i32::MAX as u32;

    /// Checks the number and wraps it.
    ///
    /// # Errors
    /// [`InvalidAttempt`] if it is 0 or above [`Attempt::MAX`].
    pub fn new(number: impl Into<u64>) -> Result<Self, InvalidAttempt> {
        let found = number.into();
        u32::try_from(found)
            .ok()
            .filter(|number| *number <= Self::MAX)
            .and_then(NonZeroU32::new)
            .map(Self)
            .ok_or(InvalidAttempt { found })
    }

    /// The number.
    #[must_use]
    pub fn get(self) -> u32 {
        self.0.get()
    }
}

impl Default for Attempt {
    fn default() -> Self {
        Self::FIRST
    }
}

impl fmt::Display for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl TryFrom<u32> for Attempt {
    type Error = InvalidAttempt;
    fn try_from(number: u32) -> Result<Self, InvalidAttempt> {
        Self::new(number)
    }
}

impl From<Attempt> for u32 {
    fn from(attempt: Attempt) -> u32 {
        attempt.get()
    }
}
