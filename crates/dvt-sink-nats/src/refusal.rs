use std::error::Error as _;
use std::fmt::Display;

use async_nats::jetstream;
use async_nats::jetstream::context::{PublishError, PublishErrorKind};
use async_nats::jetstream::{ErrorCode, stream::LastRawMessageError};
use dvt_contracts::{SafeText, Stop};

/// What becomes of an event that was not acknowledged.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// The stream holds something on the subject that we did not know of.
    OutOfOrder,
    /// It ends here.
    Stop(Stop),
}

pub(crate) fn of(error: &PublishError) -> Refusal {
    let stop = match error.kind() {
        PublishErrorKind::WrongLastSequence => return Refusal::OutOfOrder,
        PublishErrorKind::StreamNotFound => unavailable("no stream takes the subject any more"),
        PublishErrorKind::MaxAckPending => {
            unavailable("too many messages wait for acknowledgements")
        }
        PublishErrorKind::TimedOut => unknown("no acknowledgement in time"),
        PublishErrorKind::BrokenPipe => {
            unknown("the connection was lost before the acknowledgement")
        }
        _ => of_server(error),
    };
    Refusal::Stop(stop)
}

fn of_server(error: &PublishError) -> Stop {
    let said = error
        .source()
        .and_then(|source| source.downcast_ref::<jetstream::Error>());
    let Some(said) = said else {
        return unknown(error);
    };
    match said.error_code() {
        // Repeating the same message, or waiting, changes none of these.
        ErrorCode::STREAM_MESSAGE_EXCEEDS_MAXIMUM | ErrorCode::STREAM_NOT_MATCH => rejected(said),
        _ => unavailable(said),
    }
}

/// What a look at the stream that failed means: nothing was sent.
pub(crate) fn of_look(error: &LastRawMessageError) -> Stop {
    unavailable(format!("cannot look at the stream: {error}"))
}

pub(crate) fn rejected(reason: impl Display) -> Stop {
    Stop::Rejected {
        reason: text(reason),
    }
}

pub(crate) fn unavailable(reason: impl Display) -> Stop {
    Stop::Unavailable {
        reason: text(reason),
        retry_after: None,
    }
}

pub(crate) fn unknown(reason: impl Display) -> Stop {
    Stop::Unknown {
        reason: text(reason),
    }
}

fn text(reason: impl Display) -> SafeText {
    SafeText::new(reason.to_string())
}
