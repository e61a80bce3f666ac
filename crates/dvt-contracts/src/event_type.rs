use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::identifier::{EventName, InvalidIdentifier};

macro_rules! event_types {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// What happened. Twelve types drive the state of a run; [`Other`](Self::Other) is stored and
        /// delivered like them and never folded.
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(into = "String", try_from = "String")]
        pub enum EventType {
            $($(#[$doc])* $name,)*
            /// Anything else, for forward compatibility.
            Other(EventName),
        }

        impl EventType {
            /// The twelve types that the transition table knows, in its order.
            pub const KNOWN: [EventType; 12] = [$(EventType::$name,)*];

            /// The name, as used in derived keys, columns and messages.
            #[must_use]
            pub fn as_str(&self) -> &str {
                match self {
                    $(Self::$name => stringify!($name),)*
                    Self::Other(name) => name.as_str(),
                }
            }

            fn known(text: &str) -> Option<Self> {
                match text {
                    $(stringify!($name) => Some(Self::$name),)*
                    _ => None,
                }
            }
        }
    };
}

event_types! {
    /// The run was accepted and waits.
    RunQueued,
    /// The run began, or began again after a failure.
    RunStarted,
    /// The run was paused.
    RunPaused,
    /// The run goes on after a pause.
    RunResumed,
    /// Somebody asked for the run to be cancelled.
    RunCancelRequested,
    /// The run was cancelled.
    RunCancelled,
    /// The run ended well.
    RunCompleted,
    /// The run ended badly.
    RunFailed,
    /// A step began.
    StepStarted,
    /// A step ended well.
    StepCompleted,
    /// A step ended badly.
    StepFailed,
    /// A step was skipped.
    StepSkipped,
}

impl EventType {
    /// Whether the text names one of the [`KNOWN`](Self::KNOWN) types.
    #[must_use]
    pub fn is_known(text: &str) -> bool {
        Self::known(text).is_some()
    }

    /// Whether events of this type must name a step.
    #[must_use]
    pub fn needs_step(&self) -> bool {
        matches!(
            self,
            Self::StepStarted | Self::StepCompleted | Self::StepFailed | Self::StepSkipped
        )
    }

    /// Whether events of this type may name a step.
    #[must_use]
    pub fn allows_step(&self) -> bool {
        self.needs_step() || matches!(self, Self::Other(_))
    }
}

impl fmt::Display for EventType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for EventType {
    type Err = InvalidIdentifier;

    /// A known name gives its type, any other valid name gives [`EventType::Other`].
    fn from_str(text: &str) -> Result<Self, InvalidIdentifier> {
        match Self::known(text) {
            Some(known) => Ok(known),
            None => EventName::new(text).map(Self::Other),
        }
    }
}

impl TryFrom<String> for EventType {
    type Error = InvalidIdentifier;
    fn try_from(text: String) -> Result<Self, InvalidIdentifier> {
        text.parse()
    }
}

impl From<EventType> for String {
    fn from(event_type: EventType) -> String {
        event_type.as_str().to_owned()
    }
}
