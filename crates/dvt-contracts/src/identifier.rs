//! Validated names: one rule for all of them, checked before any adapter sees a value.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::event_type::EventType;
use crate::limits::MAX_IDENTIFIER_BYTES;

/// Why a text is no identifier, idempotency key or destination.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidIdentifier {
    /// The text is empty.
    #[error("{kind} is empty: give it 1 to {limit} bytes")]
    Empty {
        /// What was being named, such as `run id`.
        kind: &'static str,
        /// The greatest length in bytes.
        limit: usize,
    },
    /// The text is too long.
    #[error("{kind} has {found} bytes: at most {limit} are allowed")]
    TooLong {
        /// What was being named.
        kind: &'static str,
        /// Its length in bytes.
        found: usize,
        /// The greatest length in bytes.
        limit: usize,
    },
    /// The text holds a control character or, in identifiers, a `|`.
    #[error("{kind} has the character {found:?} at byte {at}: it is not allowed there")]
    ForbiddenCharacter {
        /// What was being named.
        kind: &'static str,
        /// The first character that is not allowed.
        found: char,
        /// Its byte offset.
        at: usize,
    },
    /// The text means something else: a step named `RUN`, or the name of a known event type
    /// given to [`EventType::Other`].
    #[error("{kind} {found:?} is reserved: choose another name")]
    Reserved {
        /// What was being named.
        kind: &'static str,
        /// The reserved word.
        found: String,
    },
}

/// The rule shared by identifiers, keys and destinations.
pub(crate) fn check_text(
    kind: &'static str,
    text: &str,
    limit: usize,
    forbidden: impl Fn(char) -> bool,
) -> Result<(), InvalidIdentifier> {
    if text.is_empty() {
        return Err(InvalidIdentifier::Empty { kind, limit });
    }
    if text.len() > limit {
        return Err(InvalidIdentifier::TooLong {
            kind,
            found: text.len(),
            limit,
        });
    }
    match text
        .char_indices()
        .find(|(_, c)| c.is_control() || forbidden(*c))
    {
        Some((at, found)) => Err(InvalidIdentifier::ForbiddenCharacter { kind, found, at }),
        None => Ok(()),
    }
}

/// Declares a validated, cheaply cloned text type.
///
/// `$check` is called with the text and may refuse it.
macro_rules! text_type {
    ($(#[$doc:meta])* $name:ident, $check:expr) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(into = "String", try_from = "String")]
        pub struct $name(Arc<str>);

        impl $name {
            /// Checks the text and wraps it.
            ///
            /// # Errors
            /// [`InvalidIdentifier`] says which rule the text breaks.
            pub fn new(text: impl AsRef<str>) -> Result<Self, InvalidIdentifier> {
                let text = text.as_ref();
                let check: fn(&str) -> Result<(), InvalidIdentifier> = $check;
                check(text)?;
                Ok(Self(text.into()))
            }

            /// The text as it was given, byte for byte.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({:?})", stringify!($name), &*self.0)
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl std::str::FromStr for $name {
            type Err = InvalidIdentifier;
            fn from_str(text: &str) -> Result<Self, InvalidIdentifier> {
                Self::new(text)
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidIdentifier;
            fn try_from(text: String) -> Result<Self, InvalidIdentifier> {
                Self::new(text)
            }
        }

        impl From<$name> for String {
            fn from(value: $name) -> String {
                value.0.as_ref().to_owned()
            }
        }
    };
}
pub(crate) use text_type;

macro_rules! identifier {
    ($(#[$doc:meta])* $name:ident, $kind:literal $(, reserved: $reserved:expr)?) => {
        text_type! {
            $(#[$doc])*
            ///
            /// UTF-8, 1 to [`MAX_IDENTIFIER_BYTES`] bytes, no control characters, no `|`.
            /// Compared byte by byte: no trimming, no case folding, no Unicode normalisation.
            $name,
            |text| {
                check_text($kind, text, MAX_IDENTIFIER_BYTES, |c| c == '|')?;
                $(
                    let reserved: fn(&str) -> bool = $reserved;
                    if reserved(text) {
                        return Err(InvalidIdentifier::Reserved {
                            kind: $kind,
                            found: text.to_owned(),
                        });
                    }
                )?
                Ok(())
            }
        }
    };
}

identifier! {
    /// Who owns a run. Tenants never see each other's runs.
    TenantId, "tenant id"
}
identifier! {
    /// The project that a run belongs to.
    ProjectId, "project id"
}
identifier! {
    /// The environment that a run ran in, such as `production`.
    EnvironmentId, "environment id"
}
identifier! {
    /// A run, unique within its tenant.
    RunId, "run id"
}
identifier! {
    /// The plan that a run executes.
    PlanId, "plan id"
}
identifier! {
    /// The version of the plan that a run executes.
    PlanVersion, "plan version"
}
identifier! {
    /// A step of a run. Never `RUN`, the word that stands for "no step" in derived keys.
    StepId, "step id", reserved: |text| text == "RUN"
}
identifier! {
    /// The name of an [`EventType::Other`]. Never the name of a known type.
    EventName, "event type", reserved: EventType::is_known
}

impl RunId {
    /// A new run id: a UUIDv7, so ids sort by the time they were made.
    #[must_use]
    pub fn generate() -> Self {
        Self(Uuid::now_v7().to_string().into())
    }
}
