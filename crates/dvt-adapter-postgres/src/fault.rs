use std::time::Duration;

use dvt_contracts::{ErrorClass, OutboxError, StoreError};

use crate::migrations::SchemaFault;
use crate::server::ServerFault;
use crate::sqlstate::{Cause, cause, may_connect_later};

/// What went wrong below the ports, in precise words.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Fault {
    #[error("cannot connect to {place}: is the server up, and are the settings right?")]
    Connect { place: String, source: sqlx::Error },
    #[error(transparent)]
    Server(#[from] ServerFault),
    #[error(transparent)]
    Schema(#[from] SchemaFault),
    #[error(
        "no connection was ready within {after:?}: all {connections} are busy, or the server does not answer"
    )]
    NoConnection { after: Duration, connections: u32 },
    #[error("the store was closed")]
    Closed,
    #[error("the server refused the statement and did nothing")]
    Refused(#[source] sqlx::Error),
    #[error("the server gave the statement up and undid it")]
    GivenUp(#[source] sqlx::Error),
    #[error("the connection broke before the whole answer had come")]
    Lost {
        /// Whether the statement could have left something behind.
        writes: bool,
        source: sqlx::Error,
    },
    #[error("no answer within {after:?}")]
    Unanswered { after: Duration, writes: bool },
    #[error("others changed the same runs in each of {attempts} attempts")]
    Contended { attempts: u32 },
    #[error("an earlier statement of the call had its effect, then: {0}")]
    AfterEffect(#[source] Box<Fault>),
    #[error("the task that did the work ended early")]
    Task(#[source] tokio::task::JoinError),
    #[error("the statement was wrong")]
    Wrong(#[source] sqlx::Error),
    #[error("a stored value breaks its rule: {0}")]
    Corrupt(String),
}

impl Fault {
    /// What an error means for a statement that left, and that may have written or not.
    pub(crate) fn of(error: sqlx::Error, writes: bool) -> Self {
        match cause(&error) {
            Cause::Lost => Self::Lost {
                writes,
                source: error,
            },
            Cause::Refused => Self::Refused(error),
            Cause::Contention | Cause::Resources | Cause::WrongServer => Self::GivenUp(error),
            Cause::Wrong => Self::Wrong(error),
        }
    }

    /// A stored value that no statement of this crate writes.
    pub(crate) fn corrupt(what: &str, error: impl std::fmt::Display) -> Self {
        Self::Corrupt(format!("{what}: {error}"))
    }

    /// What a caller should do.
    pub(crate) fn class(&self) -> ErrorClass {
        match self {
            Self::Connect { source, .. } if may_connect_later(source) => ErrorClass::Transient,
            Self::Connect { .. } => ErrorClass::Caller,
            Self::Server(_) | Self::Schema(_) | Self::Closed | Self::Refused(_) => {
                ErrorClass::Caller
            }
            Self::NoConnection { .. }
            | Self::GivenUp(_)
            | Self::Contended { .. }
            | Self::Lost { writes: false, .. }
            | Self::Unanswered { writes: false, .. } => ErrorClass::Transient,
            Self::Lost { writes: true, .. }
            | Self::Unanswered { writes: true, .. }
            | Self::AfterEffect(_)
            | Self::Task(_) => ErrorClass::Unknown,
            Self::Wrong(_) | Self::Corrupt(_) => ErrorClass::Bug,
        }
    }

    pub(crate) fn store(self, operation: &'static str) -> StoreError {
        match self.class() {
            ErrorClass::Transient => StoreError::transient(operation, self),
            ErrorClass::Unknown => StoreError::unknown(operation, self),
            ErrorClass::Bug => StoreError::bug(operation, self),
            _ => StoreError::refused(operation, self),
        }
    }

    pub(crate) fn outbox(self, operation: &'static str) -> OutboxError {
        match self.class() {
            ErrorClass::Transient => OutboxError::transient(operation, self),
            ErrorClass::Unknown => OutboxError::unknown(operation, self),
            ErrorClass::Bug => OutboxError::bug(operation, self),
            _ => OutboxError::refused(operation, self),
        }
    }
}
