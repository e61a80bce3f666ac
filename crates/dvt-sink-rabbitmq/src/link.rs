use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::{Channel, Confirmation, Connection};
use tokio::runtime::Handle;
use tokio::time::Instant;

use crate::message::Message;
use crate::wire::{Knife, Watch};

/// A connection that nobody needs any more has this long to say goodbye.
const FAREWELL: Duration = Duration::from_secs(1);

/// A connection and its idle channels.
pub(crate) struct Link {
    connection: Connection,
    idle: Mutex<Vec<Channel>>,
    knife: Option<Knife>,
    watch: Watch,
    made_at: Instant,
}

impl Link {
    pub(crate) fn new(connection: Connection, knife: Knife, watch: Watch) -> Self {
        Self {
            connection,
            idle: Mutex::default(),
            knife: Some(knife),
            watch,
            made_at: Instant::now(),
        }
    }

    pub(crate) fn is_up(&self) -> bool {
        self.connection.status().connected() && !self.watch.is_gone()
    }

    /// Whether the server has told publishers to wait: it is short of memory or disk.
    pub(crate) fn is_blocked(&self) -> bool {
        self.connection.status().blocked()
    }

    pub(crate) fn age(&self) -> Duration {
        self.made_at.elapsed()
    }

    /// What comes of it, or `None` if the connection ends before.
    ///
    /// The client library forgets to answer what is asked in the moment in which a connection ends.
    pub(crate) async fn while_up<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            done = work => Some(done),
            () = self.watch.clone().gone() => None,
        }
    }

    /// A new channel, without confirms.
    pub(crate) async fn open(&self) -> Result<Channel, lapin::Error> {
        self.connection.create_channel().await
    }

    /// A channel with confirms, for one publisher alone.
    ///
    /// One publisher, because the client library gives a returned message to any of the publishes that one confirm of the
    /// server covers, and because one publish that fails closes the channel for all of them.
    pub(crate) async fn channel(self: &Arc<Self>) -> Result<Held, lapin::Error> {
        let channel = match self.idle_channel() {
            Some(channel) => channel,
            None => {
                let channel = self.open().await?;
                let options = ConfirmSelectOptions::default();
                channel.confirm_select(options).await?;
                channel
            }
        };
        Ok(Held {
            channel: Some(channel),
            link: Arc::clone(self),
            awaits_confirm: false,
        })
    }

    fn idle_channel(&self) -> Option<Channel> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some(channel) = idle.pop() {
            if channel.status().connected() {
                return Some(channel);
            }
        }
        None
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        // The connection says goodbye when it is dropped, and the server may never answer.
        if let Some(knife) = self.knife.take()
            && self.is_up()
            && let Ok(runtime) = Handle::try_current()
        {
            runtime.spawn(async move {
                tokio::time::sleep(FAREWELL).await;
                drop(knife);
            });
        }
    }
}

/// A channel that one publisher has for itself. Goes back when it is dropped, unless a confirm is still to come: then the
/// channel is closed, so that nobody takes that confirm for his own.
pub(crate) struct Held {
    channel: Option<Channel>,
    link: Arc<Link>,
    awaits_confirm: bool,
}

/// What became of a message.
pub(crate) enum Answer {
    /// It did not leave whole, so it is not stored.
    NotSent(lapin::Error),
    Confirmed(Box<Confirmation>),
    /// It left, and then something ended before the confirm.
    Failed(lapin::Error),
    /// The connection ended, before or after it left.
    Cut,
}

impl Held {
    pub(crate) fn link(&self) -> &Link {
        &self.link
    }

    /// Sends a message and waits for what the server says of it.
    pub(crate) async fn publish(&mut self, exchange: &str, message: &Message) -> Answer {
        let Some(channel) = &self.channel else {
            return Answer::Cut;
        };
        self.awaits_confirm = true;
        let options = BasicPublishOptions {
            mandatory: true,
            immediate: false,
        };
        let answer = async {
            let sent = channel
                .basic_publish(
                    exchange.into(),
                    message.routing_key.clone(),
                    options,
                    message.body.as_bytes(),
                    message.properties.clone(),
                )
                .await;
            match sent {
                Err(error) => Answer::NotSent(error),
                Ok(confirm) => match confirm.await {
                    Ok(confirmation) => Answer::Confirmed(Box::new(confirmation)),
                    Err(error) => Answer::Failed(error),
                },
            }
        };
        let answer = self.link.while_up(answer).await.unwrap_or(Answer::Cut);
        self.awaits_confirm = !matches!(answer, Answer::Confirmed(_));
        answer
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if let Some(channel) = self.channel.take()
            && !self.awaits_confirm
            && channel.status().connected()
        {
            let idle = self.link.idle.lock();
            idle.unwrap_or_else(PoisonError::into_inner).push(channel);
        }
    }
}
