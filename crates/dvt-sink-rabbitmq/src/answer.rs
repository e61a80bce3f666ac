//! What RabbitMQ said, and what becomes of the event.

use dvt_contracts::{SafeText, Stop};
use lapin::Confirmation;

use crate::dial::code;
use crate::link::Answer;
use crate::message::{Message, rejected};
use crate::settings::Target;

const CONTENT_TOO_LARGE: u16 = 311;
const ACCESS_REFUSED: u16 = 403;
const NOT_FOUND: u16 = 404;
const PRECONDITION_FAILED: u16 = 406;

/// Whether the event is stored.
pub(crate) fn judge(answer: Answer, target: &Target, message: &Message) -> Result<(), Stop> {
    match answer {
        Answer::Confirmed(confirmation) => confirmed(&confirmation, target, message),
        Answer::NotSent(error) => Err(unavailable(format!("not sent: {error}"))),
        Answer::Failed(error) => Err(lost(&error, target, message)),
        Answer::Cut => Err(unknown("no confirm: the connection ended".to_owned())),
    }
}

fn confirmed(confirmation: &Confirmation, target: &Target, message: &Message) -> Result<(), Stop> {
    match confirmation {
        Confirmation::Ack(None) => Ok(()),
        Confirmation::Ack(Some(_)) | Confirmation::Nack(Some(_)) => Err(unavailable(format!(
            "returned: no queue is bound to the exchange {} for the routing key {}",
            target.exchange, message.routing_key
        ))),
        Confirmation::Nack(None) => Err(unavailable(
            "refused with a nack: a queue is full or has failed".to_owned(),
        )),
        Confirmation::NotRequested => Err(unknown("confirms are off".to_owned())),
    }
}

/// On a channel with one publish, an error of the channel is that publish's.
fn lost(error: &lapin::Error, target: &Target, message: &Message) -> Stop {
    let Some(code) = code(error).filter(|_| error.is_amqp_soft_error()) else {
        return unknown(format!("no confirm: {error}"));
    };
    match code {
        NOT_FOUND => unavailable(format!(
            "there is no exchange {} in the vhost {} any more: \
             rabbitmqadmin -V '{}' declare exchange name='{}' type=topic durable=true",
            target.exchange, target.vhost, target.vhost, target.exchange
        )),
        ACCESS_REFUSED => unavailable(error.to_string()),
        CONTENT_TOO_LARGE | PRECONDITION_FAILED => rejected(format!(
            "the message has {} bytes: {error}",
            message.body.len()
        )),
        _ => unknown(format!("no confirm: {error}")),
    }
}

pub(crate) fn unavailable(reason: String) -> Stop {
    Stop::Unavailable {
        reason: SafeText::new(reason),
        retry_after: None,
    }
}

pub(crate) fn unknown(reason: String) -> Stop {
    let reason = SafeText::new(reason);
    Stop::Unknown { reason }
}
