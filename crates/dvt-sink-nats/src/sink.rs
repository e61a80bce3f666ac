use std::fmt;
use std::time::Duration;

use async_nats::connection::State;
use async_nats::jetstream::Context;
use async_nats::jetstream::message::PublishMessage;
use async_nats::jetstream::stream::{LastRawMessageErrorKind, Stream};
use async_trait::async_trait;
use dvt_cloudevents::{CONTENT_TYPE, CloudEvent, Received, Template};
use dvt_contracts::{EventSink, Published, RunEvent, RunKey, Stop};
use tokio::time::{Instant, timeout};

use crate::connect::{self, Found, NatsConnectError};
use crate::last::{Last, LastMessages};
use crate::refusal::{self, Refusal, rejected, unavailable, unknown};
use crate::settings::NatsSettings;

/// How often an event is offered again because the stream held more than we knew.
const MAX_LOOKS: u32 = 3;

/// Publishes to NATS JetStream. An event is stored when the stream's acknowledgement says so.
pub struct NatsSink {
    context: Context,
    stream: Stream<()>,
    name: String,
    max_message: Option<usize>,
    subject: Template,
    /// Known only where each run has a subject of its own.
    last: Option<LastMessages>,
    ack_timeout: Duration,
    deadline: Duration,
}

/// What is known of an event before it is sent.
#[derive(Debug)]
enum Before {
    /// It has to follow the message with this sequence on its subject.
    Follows(u64),
    /// It and so many of those offered with it are stored already.
    Stored(usize),
}

impl NatsSink {
    /// Connects, and checks that a stream takes the subjects and says what it stores.
    ///
    /// Afterwards the connection comes back by itself whenever it is lost.
    ///
    /// # Errors
    /// [`NatsConnectError`] tells what is missing, and the command that makes it.
    pub async fn connect(settings: NatsSettings) -> Result<Self, NatsConnectError> {
        let Found {
            context,
            stream,
            name,
            max_message,
        } = connect::connect(&settings).await?;
        Ok(Self {
            context,
            stream,
            name,
            max_message,
            last: settings.subject.is_per_run().then(LastMessages::default),
            subject: settings.subject,
            ack_timeout: settings.ack_timeout.min(settings.deadline / 2),
            deadline: settings.deadline,
        })
    }

    /// Stores the first of these events, and says how many are stored now: more than one if it turns out that they were.
    async fn store(&self, run: &RunKey, claim_no: u64, events: &[RunEvent]) -> Result<usize, Stop> {
        let [first, ..] = events else {
            return Ok(0);
        };
        if self.context.client().connection_state() != State::Connected {
            return Err(unavailable("the connection is lost"));
        }
        let event = CloudEvent::new(run, claim_no, first);
        let subject = self.subject.render(run, first);
        let body = event.to_json();
        let message = || {
            PublishMessage::build()
                .payload(body.clone().into())
                .header("content-type", CONTENT_TYPE)
                .message_id(event.id().to_string())
                .expected_stream(&self.name)
        };
        self.check_size(&subject, &body)?;
        let Some(last) = &self.last else {
            return match self.send(&subject, message()).await {
                Ok(_) => Ok(1),
                Err(Refusal::Stop(stop)) => Err(stop),
                Err(Refusal::OutOfOrder) => Err(unknown("the stream is in another order")),
            };
        };
        for _ in 0..MAX_LOOKS {
            let follows = match last.get(run) {
                Some(last) if last.run_seq < first.run_seq => last.sequence,
                // Unknown, or offered again.
                _ => match self.look(&subject, run, events).await? {
                    Before::Follows(sequence) => sequence,
                    Before::Stored(count) => return Ok(count),
                },
            };
            let message = message().expected_last_subject_sequence(follows);
            // Whatever happens to the reply or to this future: what is known is not known any more.
            last.forget(run);
            match self.send(&subject, message).await {
                Ok(Some(sequence)) => {
                    let run_seq = first.run_seq;
                    last.set(run, Last { run_seq, sequence });
                    return Ok(1);
                }
                Ok(None) => return Ok(1),
                Err(Refusal::OutOfOrder) => {}
                Err(Refusal::Stop(stop)) => return Err(stop),
            }
        }
        Err(unavailable("another publisher writes to the same subject"))
    }

    /// Sends it and waits for the acknowledgement. Tells where the message is in the stream, unless it was there before.
    async fn send(&self, subject: &str, message: PublishMessage) -> Result<Option<u64>, Refusal> {
        let both = async {
            // The first await hands the message to the connection, the second one brings what the stream says.
            let acknowledgement = self
                .context
                .send_publish(subject.to_owned(), message)
                .await?;
            acknowledgement.await
        };
        let acknowledgement = match timeout(self.ack_timeout, both).await {
            Err(_) => return Err(Refusal::Stop(unknown("no acknowledgement in time"))),
            Ok(Err(error)) => return Err(refusal::of(&error)),
            Ok(Ok(acknowledgement)) => acknowledgement,
        };
        if acknowledgement.stream != self.name {
            let other = format!(
                "the stream {} took it, not {}",
                acknowledgement.stream, self.name
            );
            return Err(Refusal::Stop(rejected(other)));
        }
        // A duplicate is stored, perhaps with others after it.
        Ok((!acknowledgement.duplicate).then_some(acknowledgement.sequence))
    }

    /// Looks at the last message on a run's subject.
    ///
    /// Events are skipped only if it is proven that they are stored: the last message is one of them, by its id, and so all
    /// before it are there.
    async fn look(&self, subject: &str, run: &RunKey, events: &[RunEvent]) -> Result<Before, Stop> {
        let look = self.stream.get_last_raw_message_by_subject(subject);
        let message = match timeout(self.ack_timeout, look).await {
            Err(_) => return Err(unavailable("no answer in time")),
            Ok(Err(error)) if matches!(error.kind(), LastRawMessageErrorKind::NoMessageFound) => {
                return Ok(Before::Follows(0));
            }
            Ok(Err(error)) => return Err(refusal::of_look(&error)),
            Ok(Ok(message)) => message,
        };
        let received = Received::from_json(&message.payload).ok();
        let is_it = |stored: &RunEvent| {
            received.as_ref().is_some_and(|last| {
                last.run_seq == stored.run_seq && last.id == stored.event_id(run).to_string()
            })
        };
        Ok(match events.iter().position(is_it) {
            Some(at) => Before::Stored(at + 1),
            None => Before::Follows(message.sequence),
        })
    }

    fn check_size(&self, subject: &str, body: &str) -> Result<(), Stop> {
        // Names and line ends of our headers, the event id, the sequence, and the name of the stream.
        let headers = 256 + CONTENT_TYPE.len() + self.name.len();
        let size = body.len() + headers;
        let server = self.context.client().server_info().max_payload;
        let limit = self.max_message.map_or(server, |own| own.min(server));
        if limit > 0 && size > limit {
            return Err(rejected(format!(
                "the message for {subject} has about {size} bytes, the limit is {limit}: raise max_payload of the server and \
                 --max-msg-size of the stream, or skip the event"
            )));
        }
        Ok(())
    }
}

#[async_trait]
impl EventSink for NatsSink {
    async fn publish(&self, run: &RunKey, claim_no: u64, events: &[RunEvent]) -> Published {
        let begun_at = Instant::now();
        let mut stored = 0;
        while stored < events.len() {
            if stored > 0 && begun_at.elapsed() > self.deadline / 2 {
                return Published {
                    stored,
                    stop: Some(unavailable(
                        "the server is slow: the rest goes out next time",
                    )),
                };
            }
            match self.store(run, claim_no, &events[stored..]).await {
                Ok(more) => stored += more,
                Err(stop) => {
                    return Published {
                        stored,
                        stop: Some(stop),
                    };
                }
            }
        }
        Published { stored, stop: None }
    }
}

impl fmt::Debug for NatsSink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NatsSink")
            .field("stream", &self.name)
            .field("subject", &self.subject)
            .finish_non_exhaustive()
    }
}
