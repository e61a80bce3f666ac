use std::fmt;

use dvt_contracts::{AppendError, BoxError, LeaseError, OutboxError, StoreError};

/// Why a case failed: an assertion about what an observer sees did not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure(String);

impl Failure {
    /// A failure with this message.
    #[must_use]
    pub fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Calls that a case expects to succeed end in `?`: their errors are broken expectations.
macro_rules! unexpected {
    ($($error:ty),*) => {$(
        impl From<$error> for Failure {
            fn from(error: $error) -> Self {
                Self(format!("expected success, found {error} ({error:?})"))
            }
        }
    )*};
}

unexpected!(StoreError, AppendError, OutboxError, LeaseError, BoxError);

impl From<tokio::task::JoinError> for Failure {
    fn from(error: tokio::task::JoinError) -> Self {
        Self(format!("a concurrent caller did not come back: {error}"))
    }
}

/// Ends the case unless the condition holds.
macro_rules! check {
    ($condition:expr, $($message:tt)+) => {
        if !$condition {
            return Err($crate::Failure::new(format!($($message)+)));
        }
    };
}

/// Ends the case unless both values are equal.
macro_rules! check_eq {
    ($found:expr, $expected:expr, $($what:tt)+) => {
        match (&$found, &$expected) {
            (found, expected) => {
                if *found != *expected {
                    return Err($crate::Failure::new(format!(
                        "{}: expected {expected:?}, found {found:?}",
                        format_args!($($what)+),
                    )));
                }
            }
        }
    };
}

/// Ends the case unless the value matches; guards check the fields.
macro_rules! check_matches {
    ($found:expr, $pattern:pat $(if $guard:expr)?, $($what:tt)+) => {
        match &$found {
            $pattern $(if $guard)? => {}
            found => {
                return Err($crate::Failure::new(format!(
                    "{}: expected {}, found {found:?}",
                    format_args!($($what)+),
                    stringify!($pattern $(if $guard)?),
                )));
            }
        }
    };
}

pub(crate) use {check, check_eq, check_matches};
