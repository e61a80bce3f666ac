use dvt_contracts::{Destination, OutboxError, ResolutionKind, RunKey};

use crate::failure::{Exit, Failure};
use crate::text::shell_word;

/// Why an operator's command does not fit what the outbox holds. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refusal {
    /// The run has no dead letter of this number.
    #[error(
        "run {:?} of tenant {:?} has no dead letter {no}: dvt outbox dead-letters --tenant {} --run {} lists those that it has",
        .run.run_id.as_str(), .run.tenant_id.as_str(),
        shell_word(.run.tenant_id.as_str()), shell_word(.run.run_id.as_str())
    )]
    NoSuchLetter {
        /// The run.
        run: RunKey,
        /// The number asked for.
        no: u64,
    },
    /// Nothing of the run was ever given up.
    #[error(
        "run {:?} of tenant {:?} has no dead letters: dvt outbox status --runs --tenant {} tells what its runs wait for",
        .0.run_id.as_str(), .0.tenant_id.as_str(), shell_word(.0.tenant_id.as_str())
    )]
    NoLetters(RunKey),
    /// The dead letter was retried, and should be skipped.
    #[error(
        "dead letter {no} of run {:?} of tenant {:?} was retried before: that stands. To give its event up all the same, park the run and \
         skip the dead letter that this makes: dvt outbox park {} --tenant {} --reason TEXT",
        .run.run_id.as_str(), .run.tenant_id.as_str(),
        shell_word(.run.run_id.as_str()), shell_word(.run.tenant_id.as_str())
    )]
    Retried {
        /// The run.
        run: RunKey,
        /// The dead letter's number.
        no: u64,
    },
    /// The dead letter was skipped, and should be retried.
    #[error(
        "dead letter {no} of run {:?} of tenant {:?} was skipped before: that stands, its event is never delivered. It stays in the log: \
         dvt events {} --tenant {}",
        .run.run_id.as_str(), .run.tenant_id.as_str(),
        shell_word(.run.run_id.as_str()), shell_word(.run.tenant_id.as_str())
    )]
    Skipped {
        /// The run.
        run: RunKey,
        /// The dead letter's number.
        no: u64,
    },
    /// The run has nothing that could be parked.
    #[error(
        "run {:?} of tenant {:?} is delivered up to its head {head}: there is nothing to park before its next event",
        .run.run_id.as_str(), .run.tenant_id.as_str()
    )]
    NothingPending {
        /// The run.
        run: RunKey,
        /// Its head.
        head: u64,
    },
    /// The outbox delivers to somewhere else than the operator thinks.
    #[error(
        "the outbox delivers to {bound}, not to {from}: nothing was changed. If that is to be replaced, say --from {}",
        shell_word(.bound.as_str())
    )]
    OtherDestination {
        /// Where it delivers to.
        bound: Destination,
        /// What `--from` named.
        from: Destination,
    },
    /// The outbox has no destination that could be replaced.
    #[error(
        "the outbox has no destination yet, so there is none to replace: the first relay names it"
    )]
    NoDestination,
}

impl Refusal {
    /// The exit code that tells what is not there from what is there otherwise.
    pub(crate) fn exit(&self) -> Exit {
        match self {
            Self::NoSuchLetter { .. } | Self::NoLetters(_) => Exit::NotFound,
            Self::Retried { .. }
            | Self::Skipped { .. }
            | Self::NothingPending { .. }
            | Self::OtherDestination { .. }
            | Self::NoDestination => Exit::Store,
        }
    }
}

/// What became of an operator's command, if it did not succeed.
pub(super) fn failure(error: OutboxError) -> Failure {
    match error {
        OutboxError::RunNotFound { run } => Failure::RunNotFound(run),
        OutboxError::DeadLetterNotFound {
            run,
            dead_letter_no: no,
        } => Refusal::NoSuchLetter { run, no }.into(),
        OutboxError::DeadLetterResolved {
            run,
            dead_letter_no: no,
            resolved,
        } => match resolved {
            ResolutionKind::Retried => Refusal::Retried { run, no }.into(),
            ResolutionKind::Skipped => Refusal::Skipped { run, no }.into(),
        },
        OutboxError::NothingPending { run, head } => Refusal::NothingPending { run, head }.into(),
        OutboxError::DestinationMismatch { bound, requested } => Refusal::OtherDestination {
            bound,
            from: requested,
        }
        .into(),
        OutboxError::NoDestination { .. } => Refusal::NoDestination.into(),
        error => Failure::Outbox(error),
    }
}
