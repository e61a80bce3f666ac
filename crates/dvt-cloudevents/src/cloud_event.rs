use dvt_contracts::{EventId, RunEvent, RunKey};
use serde::ser::{SerializeMap as _, Serializer as _};

use crate::encoding::{encode, encode_into};

/// The media type of an event in structured mode.
pub const CONTENT_TYPE: &str = "application/cloudevents+json; charset=utf-8";

/// One event of a run as a CloudEvent 1.0 (<https://github.com/cloudevents/spec>). The crate's page lists the attributes.
#[derive(Debug, Clone, Copy)]
pub struct CloudEvent<'a> {
    run: &'a RunKey,
    claim_no: u64,
    stored: &'a RunEvent,
    id: EventId,
}

impl<'a> CloudEvent<'a> {
    /// The envelope of this event, sent under the claim of this number.
    #[must_use]
    pub fn new(run: &'a RunKey, claim_no: u64, stored: &'a RunEvent) -> Self {
        let id = stored.event_id(run);
        Self {
            run,
            claim_no,
            stored,
            id,
        }
    }

    /// Its `id`: the same for each delivery of the event, whoever sends it.
    #[must_use]
    pub fn id(&self) -> EventId {
        self.id
    }

    /// Its payload, byte for byte as it was appended.
    #[must_use]
    pub fn data(&self) -> &'a str {
        self.stored.event.payload().as_str()
    }

    /// Its context attributes, by their names.
    #[must_use]
    pub fn attributes(&self) -> Vec<(&'static str, String)> {
        let event = &self.stored.event;
        let source = format!("/dvt/{}", encode(self.run.tenant_id.as_str()));
        let subject = encode(self.run.run_id.as_str());
        let partition = format!("{}/{subject}", encode(self.run.tenant_id.as_str()));
        let mut attributes = vec![
            ("specversion", "1.0".to_owned()),
            ("id", self.id.to_string()),
            ("source", source),
            ("type", format!("dvt.{}", event.event_type().as_str())),
            ("subject", subject),
            ("time", event.emitted_at().to_string()),
            ("datacontenttype", "application/json".to_owned()),
            ("sequence", orderly(self.stored.run_seq)),
            ("partitionkey", partition),
            ("dvtclaim", orderly(self.claim_no)),
        ];
        if let Some(step) = event.step_id() {
            attributes.push(("dvtstep", step.to_string()));
        }
        attributes.extend([
            ("dvtattempt", event.logical_attempt().get().to_string()),
            ("dvtengineattempt", event.engine_attempt().get().to_string()),
            ("dvtkey", event.idempotency_key().to_string()),
            ("dvtpersistedat", self.stored.persisted_at.to_string()),
        ]);
        attributes
    }

    /// The whole event in structured mode: one JSON object, its media type is [`CONTENT_TYPE`].
    #[must_use]
    pub fn to_json(&self) -> String {
        let mut json = Vec::with_capacity(1024 + self.data().len());
        // Neither a buffer nor a map of texts can fail.
        let _ = self.write_attributes(&mut json);
        let mut json = String::from_utf8(json).unwrap_or_default();
        // The payload goes in as it is: parsing it again would change its bytes.
        json.pop();
        json.push_str(",\"data\":");
        json.push_str(self.data());
        json.push('}');
        json
    }

    fn write_attributes(&self, out: &mut Vec<u8>) -> serde_json::Result<()> {
        let mut serializer = serde_json::Serializer::new(out);
        let mut map = serializer.serialize_map(None)?;
        for (name, value) in self.attributes() {
            map.serialize_entry(name, &value)?;
        }
        map.end()
    }

    /// The headers of binary mode, where the body is [`data`](Self::data): `content-type`, and each other attribute as
    /// `ce-` and its name, percent-encoded as the HTTP protocol binding says.
    #[must_use]
    pub fn headers(&self) -> Vec<(String, String)> {
        let header = |(name, value): (&str, String)| match name {
            "datacontenttype" => ("content-type".to_owned(), value),
            name => (format!("ce-{name}"), header_value(&value)),
        };
        self.attributes().into_iter().map(header).collect()
    }
}

/// HTTP binding of CloudEvents 1.0.2, section 3.1.3.2.
fn header_value(value: &str) -> String {
    let mut encoded = String::with_capacity(value.len());
    encode_into(&mut encoded, value, |byte| {
        matches!(byte, 0x21..=0x7e) && byte != b'"' && byte != b'%'
    });
    encoded
}

/// Nineteen digits, so that texts order as their numbers do.
fn orderly(number: u64) -> String {
    format!("{number:019}")
}

#[cfg(test)]
mod tests {
    use dvt_contracts::{Attempt, Event, EventType, Payload};

    use super::*;

    fn stored(event_type: EventType, step: Option<&str>, key: &str, payload: &str) -> RunEvent {
        let emitted_at = "2026-01-02T03:04:05.000006Z".parse().unwrap();
        let step = step.map(|step| step.parse().unwrap());
        let event = Event::new(event_type, step, key.parse().unwrap(), emitted_at)
            .unwrap()
            .with_logical_attempt(Attempt::new(2u64).unwrap())
            .with_payload(Payload::new(payload).unwrap());
        RunEvent {
            run_seq: 12,
            persisted_at: "2026-01-02T03:04:06Z".parse().unwrap(),
            event,
        }
    }

    #[test]
    fn the_envelope_keeps_every_name_and_the_payload_byte_for_byte() {
        let run = RunKey::new("shop.eu".parse().unwrap(), "nightly/1".parse().unwrap());
        let stored = stored(
            EventType::StepCompleted,
            Some("löad \"x\""),
            "k 1%",
            "{\"b\":1e400, \"b\":-0}",
        );
        let event = CloudEvent::new(&run, 3, &stored);

        assert_eq!(
            event.to_json(),
            format!(
                "{{\"specversion\":\"1.0\",\"id\":\"{}\",\"source\":\"/dvt/shop%2Eeu\",\"type\":\"dvt.StepCompleted\",\
                 \"subject\":\"nightly%2F1\",\"time\":\"2026-01-02T03:04:05.000006Z\",\
                 \"datacontenttype\":\"application/json\",\"sequence\":\"0000000000000000012\",\
                 \"partitionkey\":\"shop%2Eeu/nightly%2F1\",\"dvtclaim\":\"0000000000000000003\",\
                 \"dvtstep\":\"löad \\\"x\\\"\",\"dvtattempt\":\"2\",\"dvtengineattempt\":\"1\",\"dvtkey\":\"k 1%\",\
                 \"dvtpersistedat\":\"2026-01-02T03:04:06.000000Z\",\"data\":{{\"b\":1e400, \"b\":-0}}}}",
                stored.event_id(&run)
            )
        );
        let headers = event.headers();
        assert!(headers.contains(&("content-type".into(), "application/json".into())));
        assert!(headers.contains(&("ce-dvtstep".into(), "l%C3%B6ad%20%22x%22".into())));
        assert!(headers.contains(&("ce-dvtkey".into(), "k%201%25".into())));
        assert!(headers.contains(&("ce-source".into(), "/dvt/shop%252Eeu".into())));
    }

    #[test]
    fn sequences_order_as_texts() {
        assert!(orderly(9) < orderly(10));
        assert!(orderly(999) < orderly(1_000));
        let greatest = u64::try_from(i64::MAX).unwrap();
        assert_eq!(orderly(greatest).len(), 19);
    }
}
