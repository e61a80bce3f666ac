use std::collections::BTreeMap;

use dvt_contracts::{EventType, RunKey};
use serde_json::value::RawValue;

use crate::encoding::decode;

/// What a consumer reads from an event that a DVT relay sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received {
    /// The event's identity: equal for each delivery.
    pub id: String,
    /// The run.
    pub run: RunKey,
    /// Its place in the run's log: 1, 2, 3 …
    pub run_seq: u64,
    /// The claim that it was sent under: a smaller one than was seen for the run before comes from a relay whose lease is over.
    pub claim_no: u64,
    /// What happened.
    pub event_type: EventType,
    /// The step that it happened to; `None` for the run itself.
    pub step_id: Option<String>,
    /// The payload, byte for byte.
    pub data: String,
}

/// A text that is no event of a DVT relay.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidCloudEvent {
    /// Not a JSON object.
    #[error("not a CloudEvent in structured mode")]
    Malformed(#[source] serde_json::Error),
    /// An attribute, or the data, is not there.
    #[error("{name} is missing")]
    Missing {
        /// Its name.
        name: &'static str,
    },
    /// An attribute says something that no relay says.
    #[error("the attribute {name} is {found:?}: {rule}")]
    Attribute {
        /// Its name.
        name: &'static str,
        /// Its value.
        found: String,
        /// What it should be.
        rule: &'static str,
    },
}

impl Received {
    /// Reads an event in structured mode.
    ///
    /// # Errors
    /// [`InvalidCloudEvent`] tells what is missing or wrong.
    pub fn from_json(json: &[u8]) -> Result<Self, InvalidCloudEvent> {
        let members: BTreeMap<String, &RawValue> =
            serde_json::from_slice(json).map_err(InvalidCloudEvent::Malformed)?;
        let attribute = |name: &str| {
            let text = serde_json::from_str(members.get(name)?.get());
            text.ok()
        };
        let data = members
            .get("data")
            .ok_or(InvalidCloudEvent::Missing { name: "data" })?;
        Self::from_attributes(attribute, data.get())
    }

    /// Reads an event in binary mode: `header` looks a header up by its lower-case name.
    ///
    /// # Errors
    /// [`InvalidCloudEvent`] tells what is missing or wrong.
    pub fn from_headers(
        header: impl Fn(&str) -> Option<String>,
        body: &str,
    ) -> Result<Self, InvalidCloudEvent> {
        let attribute = |name: &str| {
            let value = header(&format!("ce-{name}"))?;
            decode(&value).ok()
        };
        Self::from_attributes(attribute, body)
    }

    fn from_attributes(
        attribute: impl Fn(&'static str) -> Option<String>,
        data: &str,
    ) -> Result<Self, InvalidCloudEvent> {
        let needed = |name| attribute(name).ok_or(InvalidCloudEvent::Missing { name });
        let number = |name| {
            let found = needed(name)?;
            found.parse().map_err(|_| InvalidCloudEvent::Attribute {
                name,
                found,
                rule: "expected a number",
            })
        };
        let source = needed("source")?;
        let tenant = source.strip_prefix("/dvt/").and_then(parsed);
        let Some(tenant_id) = tenant else {
            return Err(InvalidCloudEvent::Attribute {
                name: "source",
                found: source,
                rule: "expected /dvt/ and an encoded tenant",
            });
        };
        let subject = needed("subject")?;
        let Some(run_id) = parsed(&subject) else {
            return Err(InvalidCloudEvent::Attribute {
                name: "subject",
                found: subject,
                rule: "expected an encoded run id",
            });
        };
        let event_type = needed("type")?;
        let Some(event_type) = event_type
            .strip_prefix("dvt.")
            .and_then(|name| name.parse().ok())
        else {
            return Err(InvalidCloudEvent::Attribute {
                name: "type",
                found: event_type,
                rule: "expected dvt. and an event type",
            });
        };
        Ok(Self {
            id: needed("id")?,
            run: RunKey::new(tenant_id, run_id),
            run_seq: number("sequence")?,
            claim_no: number("dvtclaim")?,
            event_type,
            step_id: attribute("dvtstep"),
            data: data.to_owned(),
        })
    }
}

fn parsed<T: std::str::FromStr>(encoded: &str) -> Option<T> {
    decode(encoded).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use dvt_contracts::{Event, Payload, RunEvent, Timestamp};

    use super::*;
    use crate::cloud_event::CloudEvent;

    fn sent() -> (RunKey, RunEvent) {
        let run = RunKey::new("shop.eu".parse().unwrap(), "ü %2E".parse().unwrap());
        let event = Event::new(
            EventType::StepStarted,
            Some("lö ad".parse().unwrap()),
            "key".parse().unwrap(),
            Timestamp::MIN,
        )
        .unwrap()
        .with_payload(Payload::new("[1e400,\n -0]").unwrap());
        let stored = RunEvent {
            run_seq: 7,
            persisted_at: Timestamp::MIN,
            event,
        };
        (run, stored)
    }

    #[test]
    fn both_modes_are_read_as_they_were_sent() {
        let (run, stored) = sent();
        let event = CloudEvent::new(&run, 3, &stored);
        let headers = event.headers();
        let header = |name: &str| {
            let found = headers.iter().find(|(header, _)| header == name);
            found.map(|(_, value)| value.clone())
        };

        let structured = Received::from_json(event.to_json().as_bytes()).unwrap();
        let binary = Received::from_headers(header, event.data()).unwrap();

        let expected = Received {
            id: stored.event_id(&run).to_string(),
            run,
            run_seq: 7,
            claim_no: 3,
            event_type: EventType::StepStarted,
            step_id: Some("lö ad".to_owned()),
            data: "[1e400,\n -0]".to_owned(),
        };
        assert_eq!(structured, expected);
        assert_eq!(binary, expected);
    }

    #[test]
    fn what_no_relay_sends_is_refused() {
        let (run, stored) = sent();
        let sent = CloudEvent::new(&run, 3, &stored).to_json();
        let refused = |json: &str| {
            Received::from_json(json.as_bytes())
                .unwrap_err()
                .to_string()
        };
        assert_eq!(refused("[]"), "not a CloudEvent in structured mode");
        assert_eq!(refused("{}"), "data is missing");
        assert_eq!(
            refused(&sent.replace("\"sequence\"", "\"x\"")),
            "sequence is missing"
        );
        assert_eq!(
            refused(&sent.replace("/dvt/", "/other/")),
            "the attribute source is \"/other/shop%2Eeu\": expected /dvt/ and an encoded tenant"
        );
        assert_eq!(
            refused(&sent.replace("0000000000000000003", "three")),
            "the attribute dvtclaim is \"three\": expected a number"
        );
    }
}
