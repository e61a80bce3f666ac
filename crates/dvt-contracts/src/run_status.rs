use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Where a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum RunStatus {
    /// Not started. A run without events is pending too.
    Pending,
    /// Going on.
    Running,
    /// Halted until it is resumed.
    Paused,
    /// Ended well.
    Completed,
    /// Ended badly. May be started again with a higher attempt.
    Failed,
    /// Ended by request.
    Cancelled,
}

/// A text that is no [`RunStatus`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{found:?} is no run status: use Pending, Running, Paused, Completed, Failed or Cancelled")]
pub struct InvalidRunStatus {
    /// The text given.
    pub found: String,
}

impl RunStatus {
    /// Every status, in the order of a run's life.
    pub const ALL: [Self; 6] = [
        Self::Pending,
        Self::Running,
        Self::Paused,
        Self::Completed,
        Self::Failed,
        Self::Cancelled,
    ];

    /// The name, as used in columns, filters and messages.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "Pending",
            Self::Running => "Running",
            Self::Paused => "Paused",
            Self::Completed => "Completed",
            Self::Failed => "Failed",
            Self::Cancelled => "Cancelled",
        }
    }

    /// Whether the run has ended: Completed, Failed or Cancelled.
    #[must_use]
    pub fn is_terminal(self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::Cancelled)
    }
}

impl fmt::Display for RunStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for RunStatus {
    type Err = InvalidRunStatus;

    /// Names are recognised whatever their case.
    fn from_str(text: &str) -> Result<Self, InvalidRunStatus> {
        Self::ALL
            .into_iter()
            .find(|status| status.as_str().eq_ignore_ascii_case(text))
            .ok_or_else(|| InvalidRunStatus {
                found: text.chars().take(64).collect(),
            })
    }
}
