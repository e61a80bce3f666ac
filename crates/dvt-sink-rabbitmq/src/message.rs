use dvt_cloudevents::{CONTENT_TYPE, CloudEvent};
use dvt_contracts::{RunEvent, RunKey, SafeText, Stop};
use lapin::BasicProperties;
use lapin::types::ShortString;

use crate::settings::RabbitMqSettings;

/// AMQP 0-9-1 has one byte for the length of a routing key.
const MAX_ROUTING_KEY_BYTES: usize = 255;
const PERSISTENT: u8 = 2;

/// An event as RabbitMQ takes it.
pub(crate) struct Message {
    pub(crate) routing_key: ShortString,
    pub(crate) properties: BasicProperties,
    pub(crate) body: String,
}

impl Message {
    /// Refuses an event that cannot be sent.
    pub(crate) fn new(
        settings: &RabbitMqSettings,
        run: &RunKey,
        claim_no: u64,
        stored: &RunEvent,
    ) -> Result<Self, Stop> {
        let routing_key = settings.target.routing_key.render(run, stored);
        let found = routing_key.len();
        let too_long = |_| {
            rejected(format!(
                "the routing key has {found} bytes: at most {MAX_ROUTING_KEY_BYTES} are possible"
            ))
        };
        let routing_key = ShortString::try_new(routing_key).map_err(too_long)?;
        let event = CloudEvent::new(run, claim_no, stored);
        let body = event.to_json();
        if body.len() > settings.max_body {
            return Err(rejected(format!(
                "the message has {} bytes: at most {} are allowed",
                body.len(),
                settings.max_body
            )));
        }
        let event_type = format!("dvt.{}", stored.event.event_type().as_str());
        let seconds = stored.event.emitted_at().as_micros() / 1_000_000;
        let properties = BasicProperties::default()
            .with_delivery_mode(PERSISTENT)
            .with_message_id(event.id().to_string().as_str().into())
            .with_content_type(CONTENT_TYPE.into())
            .with_timestamp(seconds.unsigned_abs())
            .with_type(event_type.as_str().into())
            .with_app_id("dvt".into());
        Ok(Self {
            routing_key,
            properties,
            body,
        })
    }
}

pub(crate) fn rejected(reason: String) -> Stop {
    let reason = SafeText::new(reason);
    Stop::Rejected { reason }
}
