use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use dvt_contracts::{EventSink, Published, RunEvent, RunKey, Stop};
use tokio::time::{Instant, timeout_at};

use crate::answer::{judge, unavailable, unknown};
use crate::connect_error::RabbitMqConnectError;
use crate::dial;
use crate::link::{Answer, Held, Link};
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

    /// Sends it, on the channel of the call if there is one.
    async fn publish_one(
        &self,
        channel: &mut Option<Held>,
        message: &Message,
        until: Instant,
    ) -> Result<(), Stop> {
        let settings = self.uplink.settings();
        loop {
            let mut held = match channel.take() {
                Some(held) => held,
                None => self.channel(until).await?,
            };
            check_not_blocked(held.link())?;
            let until = until.min(Instant::now() + settings.confirm_timeout);
            let answer = held.publish(&settings.target.exchange, message);
            match timeout_at(until, answer).await {
                // Nothing left, because the connection is no more: the next one may do.
                Ok(Answer::NotSent(_)) if !held.link().is_up() => {}
                Ok(answer) => {
                    judge(answer, &settings.target, message)?;
                    *channel = Some(held);
                    return Ok(());
                }
                Err(_) => return Err(unknown("no confirm within the time for it".to_owned())),
            }
        }
    }

    /// A channel of the connection, or of the next one if that is just ending.
    async fn channel(&self, until: Instant) -> Result<Held, Stop> {
        let channel = async {
            loop {
                let link = self.uplink.link().await;
                let link = link.map_err(|error| unavailable(error.to_string()))?;
                // Not even a channel can be opened.
                check_not_blocked(&link)?;
                match link.while_up(link.channel()).await {
                    Some(Ok(channel)) => return Ok(channel),
                    Some(Err(error)) if link.is_up() => {
                        return Err(unavailable(format!("no channel: {error}")));
                    }
                    Some(Err(_)) | None => {}
                }
            }
        };
        let late = |_| unavailable("no connection within the time for a publish".to_owned());
        timeout_at(until, channel).await.map_err(late)?
    }
}

fn check_not_blocked(link: &Link) -> Result<(), Stop> {
    if link.is_blocked() {
        let reason = "RabbitMQ is short of memory or disk and takes nothing";
        return Err(unavailable(reason.to_owned()));
    }
    Ok(())
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
                    Ok(message) => self.publish_one(&mut channel, &message, until).await,
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
