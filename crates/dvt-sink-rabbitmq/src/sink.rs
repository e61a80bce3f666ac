use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use dvt_contracts::{EventSink, Published, RunEvent, RunKey, Stop};
use lapin::options::BasicPublishOptions;
use tokio::time::{Instant, timeout_at};

use crate::answer::{confirmed, lost, unavailable, unknown};
use crate::connect_error::RabbitMqConnectError;
use crate::dial;
use crate::link::Held;
use crate::message::Message;
use crate::settings::RabbitMqSettings;
use crate::uplink::Uplink;

/// Publishes events to one exchange of RabbitMQ, each with a confirm.
///
/// It needs the tokio runtime that [`connect`](RabbitMqSink::connect) was called on.
pub struct RabbitMqSink {
    uplink: Arc<Uplink>,
}

impl RabbitMqSink {
    /// Connects, and looks whether the exchange is there. Each of the two has the settings' time to connect.
    ///
    /// A connection that is lost later is made again by itself.
    ///
    /// # Errors
    /// [`RabbitMqConnectError`] says what is missing and how to get it.
    pub async fn connect(settings: RabbitMqSettings) -> Result<Self, RabbitMqConnectError> {
        let tls = dial::connector(&settings)?;
        let link = dial::dial(&settings, tls.as_ref()).await?;
        dial::find_exchange(&link, &settings).await?;
        let uplink = Arc::new(Uplink::new(settings, tls, link));
        Ok(Self { uplink })
    }

    async fn publish_one(
        &self,
        channel: &mut Option<Held>,
        message: Message,
        until: Instant,
    ) -> Result<(), Stop> {
        let settings = self.uplink.settings();
        if channel.is_none() {
            *channel = Some(self.channel(until).await?);
        }
        let Some(held) = channel else {
            return Err(unavailable("there is no channel".to_owned()));
        };
        if held.link().is_blocked() {
            return Err(unavailable(
                "RabbitMQ is short of memory or disk and takes nothing".to_owned(),
            ));
        }
        let until = until.min(Instant::now() + settings.confirm_timeout);
        let sent = async {
            let options = BasicPublishOptions {
                mandatory: true,
                immediate: false,
            };
            // An error before the last byte left is definite: the server takes no half message.
            let confirm = held
                .publishing()?
                .basic_publish(
                    settings.target.exchange.as_str().into(),
                    message.routing_key.clone(),
                    options,
                    message.body.as_bytes(),
                    message.properties.clone(),
                )
                .await?;
            Ok::<_, lapin::Error>(confirm)
        };
        let late = || {
            let time = settings.confirm_timeout.min(settings.deadline);
            unknown(format!("no confirm within {time:?}"))
        };
        let confirm = match timeout_at(until, sent).await {
            Ok(Ok(confirm)) => confirm,
            Ok(Err(error)) => return Err(unavailable(format!("not sent: {error}"))),
            Err(_) => return Err(late()),
        };
        match timeout_at(until, confirm).await {
            Ok(Ok(confirmation)) => {
                held.confirmed();
                confirmed(confirmation, &settings.target, &message)
            }
            Ok(Err(error)) => Err(lost(&error, &settings.target, &message)),
            Err(_) => Err(late()),
        }
    }

    async fn channel(&self, until: Instant) -> Result<Held, Stop> {
        let channel = async {
            let link = self.uplink.link().await;
            let link = link.map_err(|error| unavailable(error.to_string()))?;
            let channel = link.channel().await;
            channel.map_err(|error| unavailable(format!("no channel: {error}")))
        };
        let late = |_| unavailable("no connection within the time for a publish".to_owned());
        timeout_at(until, channel).await.map_err(late)?
    }
}

#[async_trait]
impl EventSink for RabbitMqSink {
    async fn publish(&self, run: &RunKey, claim_no: u64, events: &[RunEvent]) -> Published {
        let settings = self.uplink.settings();
        let until = Instant::now() + settings.deadline;
        let mut channel = None;
        for (stored, event) in events.iter().enumerate() {
            let outcome = if stored > 0 && Instant::now() >= until {
                let time = settings.deadline;
                Err(unavailable(format!("{time:?} for a publish are over")))
            } else {
                match Message::new(settings, run, claim_no, event) {
                    Ok(message) => self.publish_one(&mut channel, message, until).await,
                    Err(stop) => Err(stop),
                }
            };
            if let Err(stop) = outcome {
                let stop = Some(stop);
                return Published { stored, stop };
            }
        }
        Published {
            stored: events.len(),
            stop: None,
        }
    }
}

impl fmt::Debug for RabbitMqSink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RabbitMqSink")
            .field("settings", self.uplink.settings())
            .finish_non_exhaustive()
    }
}
