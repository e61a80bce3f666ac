use std::io;

use dvt_adapter_postgres::MigrateError;
use dvt_contracts::{Destination, ErrorClass, OutboxError, RunKey, SafeText, StoreError};

use crate::outbox::Refusal;
use crate::text;

/// How the command ends. The numbers are part of its interface: see [`EXIT_CODES`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Everything was done.
    Done = 0,
    /// Some lines of the input were rejected; the good ones were recorded.
    Rejected = 1,
    /// The command line is wrong. Also what the argument parser answers.
    Usage = 2,
    /// The input could not be read to its end.
    Input = 3,
    /// The store failed or refused.
    Store = 4,
    /// The output could not be written.
    Output = 5,
    /// The run or dead letter that was asked for is not there.
    NotFound = 6,
    /// The sink cannot be reached, or lacks what it needs.
    Sink = 7,
    /// Told to stop, and not everything in flight could be finished.
    CutOff = 8,
    /// The check that was asked for found something.
    Problems = 9,
}

/// The exit codes as `--help` lists them.
pub(crate) const EXIT_CODES: &str = "\
Exit codes:
  0  done
  1  some input lines were rejected; the good ones before and after them are recorded
  2  the command line is wrong
  3  the input cannot be read; what was read before is recorded
  4  the store failed or refused; repeating the command is safe
  5  the output was closed; what could not be written is not acknowledged
  6  the run or dead letter is not there
  7  the sink cannot be reached, or lacks what it needs; nothing is lost
  8  told to stop, and some work in flight was cut off: its events may come again
  9  the check found problems";

impl Exit {
    /// The number for the shell.
    pub(crate) fn code(self) -> u8 {
        self as u8
    }
}

/// Why the command stopped before its end.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// Something that the argument parser cannot see.
    #[error("{0}")]
    Usage(String),
    /// The input is not there, or stopped working.
    #[error("cannot read {name}: {source}")]
    Input {
        /// The file, or `standard input`.
        name: String,
        /// What the system said.
        source: io::Error,
    },
    /// The store cannot be used at all.
    #[error("cannot open the store {store}: {reason}")]
    Open {
        /// The store, without a password.
        store: String,
        /// Why not, without a password.
        reason: String,
    },
    /// A store in a file that is not there.
    #[error(
        "{0}, and there is no such file: dvt record and dvt demo make one; --store, DVT_STORE or DATABASE_URL name another store"
    )]
    NoFile(String),
    /// A run that somebody asked for by name.
    #[error(
        "run {:?} of tenant {:?} is not there: dvt runs lists those that are, and --tenant says whose run is meant",
        .0.run_id.as_str(), .0.tenant_id.as_str()
    )]
    RunNotFound(RunKey),
    /// The run log failed.
    #[error("the store failed: {}; repeating the command is safe, what is recorded stays", chain(.0))]
    Store(#[from] StoreError),
    /// The outbox failed.
    #[error("the outbox failed: {}; repeating the command is safe, what is not acknowledged comes again", chain(.0))]
    Outbox(#[from] OutboxError),
    /// The outbox is not in the state that an operator's command is for.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The schema is not what it should be, or cannot be made so.
    #[error("{}", chain(.0))]
    Migrate(#[from] MigrateError),
    /// The outbox belongs to another receiver.
    #[error(
        "the outbox delivers to \"{bound}\", not to \"{requested}\": two receivers would split the stream. To move it for good: \
         dvt outbox retarget --from {} --to {} --reason TEXT",
        text::shell_word(.bound.as_str()), text::shell_word(.requested.as_str())
    )]
    Destination {
        /// Where it delivers to.
        bound: Destination,
        /// Where it should have delivered to.
        requested: Destination,
    },
    /// The sink cannot be used at all.
    #[error("cannot deliver to {sink}: {reason}")]
    Sink {
        /// The sink, without a password.
        sink: String,
        /// Why not, and what to do.
        reason: String,
    },
    /// The sink went down while a relay was to end when its work is done.
    #[error("the sink is down: {0}; what is not acknowledged comes again")]
    SinkDown(SafeText),
    /// The output took no more.
    #[error("cannot write the output: {0}")]
    Output(#[from] io::Error),
    /// The machine refused the little that the command needs to run at all.
    #[error("cannot start: {0}")]
    Runtime(io::Error),
}

impl Failure {
    /// The exit code that tells this failure from the others.
    pub(crate) fn exit(&self) -> Exit {
        match self {
            Self::Usage(_) => Exit::Usage,
            Self::Input { .. } => Exit::Input,
            Self::Open { .. }
            | Self::NoFile(_)
            | Self::Store(_)
            | Self::Outbox(_)
            | Self::Migrate(_)
            | Self::Runtime(_) => Exit::Store,
            Self::Destination { .. } => Exit::Store,
            Self::Refused(refusal) => refusal.exit(),
            Self::RunNotFound(_) => Exit::NotFound,
            Self::Sink { .. } | Self::SinkDown(_) => Exit::Sink,
            Self::Output(_) => Exit::Output,
        }
    }

    /// A store, told without its password, that does not open.
    pub(crate) fn open(store: String, error: &dyn std::error::Error) -> Self {
        let reason = chain(error);
        Self::Open { store, reason }
    }

    /// A failure of the store when a person asked for a run: naming one that is not there is their mistake, not the store's.
    pub(crate) fn of_named_run(error: StoreError) -> Self {
        match error {
            StoreError::RunNotFound { run } => Self::RunNotFound(run),
            error => Self::Store(error),
        }
    }

    /// Whether the reader of our output has simply gone away, as `head` does. That needs no words.
    pub(crate) fn is_quiet(&self) -> bool {
        matches!(self, Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe)
    }
}

/// Whether a call that may be repeated may be answered later: the store is away, or nobody knows what it did.
pub(crate) fn may_pass(class: ErrorClass) -> bool {
    matches!(class, ErrorClass::Transient | ErrorClass::Unknown)
}

/// An error with its causes on one line: adapters put the useful part into the source.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(source) = cause {
        let source_text = source.to_string();
        // Transparent errors repeat the words of their source.
        if !text.ends_with(&source_text) {
            text.push_str(": ");
            text.push_str(&source_text);
        }
        cause = source.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_failure_tells_the_cause_and_that_repeating_is_safe() {
        let failure = Failure::from(StoreError::transient("append_batch", "connection refused"));
        assert_eq!(failure.exit().code(), 4);
        assert_eq!(
            failure.to_string(),
            "the store failed: append_batch failed for now, nothing was written: try again: connection refused; \
             repeating the command is safe, what is recorded stays"
        );
    }

    #[test]
    fn every_exit_code_is_documented() {
        for exit in [
            Exit::Done,
            Exit::Rejected,
            Exit::Usage,
            Exit::Input,
            Exit::Store,
            Exit::Output,
            Exit::NotFound,
            Exit::Sink,
            Exit::CutOff,
            Exit::Problems,
        ] {
            assert!(
                EXIT_CODES.contains(&format!("\n  {}  ", exit.code())),
                "{exit:?}"
            );
        }
    }
}
