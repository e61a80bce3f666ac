//! An exchange and queues of a test's own on the real server.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use lapin::message::Delivery;
use lapin::options::{
    BasicGetOptions, ExchangeDeclareOptions, ExchangeDeleteOptions, QueueBindOptions,
    QueueDeclareOptions, QueueDeleteOptions,
};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{Channel, Connection, ConnectionProperties, ExchangeKind};

use crate::stage::LONG;

/// Gone with all that it made when it is dropped.
pub(crate) struct Broker {
    channel: Channel,
    pub(crate) exchange: String,
    queues: u64,
}

/// Where the server is, from the environment.
pub(crate) fn url() -> String {
    let url = std::env::var("DVT_AMQP_URL");
    url.unwrap_or_else(|_| panic!("DVT_AMQP_URL is not set: amqp://user:password@host:5672"))
}

/// `user:password@host:port`
pub(crate) fn authority() -> String {
    let url = url();
    let authority = url.strip_prefix("amqp://").unwrap();
    authority.split('/').next().unwrap().to_owned()
}

/// `user:password`, or what the server has from the beginning.
pub(crate) fn userinfo() -> String {
    let authority = authority();
    let userinfo = authority.rsplit_once('@').map(|(userinfo, _)| userinfo);
    userinfo.unwrap_or("guest:guest").to_owned()
}

/// `host:port`
pub(crate) fn address() -> String {
    let authority = authority();
    let address = authority.rsplit_once('@').map_or(&*authority, |(_, it)| it);
    match address.contains(':') {
        true => address.to_owned(),
        false => format!("{address}:5672"),
    }
}

async fn connection() -> Connection {
    let url = format!("amqp://{}@{}/%2f", userinfo(), address());
    Connection::connect(&url, ConnectionProperties::default())
        .await
        .unwrap()
}

impl Broker {
    /// With an exchange of this kind.
    pub(crate) async fn new(kind: ExchangeKind) -> Self {
        static COUNTER: AtomicU64 = AtomicU64::new(0);
        let since = SystemTime::UNIX_EPOCH.elapsed().unwrap().as_nanos();
        let number = COUNTER.fetch_add(1, Ordering::Relaxed);
        let broker = Self {
            channel: connection().await.create_channel().await.unwrap(),
            exchange: format!("dvt-test-{}-{since}-{number}", std::process::id()),
            queues: 0,
        };
        broker.declare_exchange(kind, false).await;
        broker
    }

    pub(crate) async fn declare_exchange(&self, kind: ExchangeKind, internal: bool) {
        let options = ExchangeDeclareOptions {
            durable: true,
            internal,
            ..ExchangeDeclareOptions::default()
        };
        let exchange = self.exchange.as_str().into();
        self.channel
            .exchange_declare(exchange, kind, options, FieldTable::default())
            .await
            .unwrap();
    }

    pub(crate) async fn delete_exchange(&self) {
        let exchange = self.exchange.as_str().into();
        self.channel
            .exchange_delete(exchange, ExchangeDeleteOptions::default())
            .await
            .unwrap();
    }

    fn queue_name(&self, number: u64) -> String {
        format!("{}-{number}", self.exchange)
    }

    /// A durable queue for the messages with this key; its name.
    pub(crate) async fn queue(&mut self, binding: &str) -> String {
        self.limited_queue(binding, None).await
    }

    /// One that takes so many messages and refuses more.
    pub(crate) async fn limited_queue(&mut self, binding: &str, limit: Option<i64>) -> String {
        let name = self.queue_name(self.queues);
        self.queues += 1;
        let mut arguments = FieldTable::default();
        if let Some(limit) = limit {
            arguments.insert("x-max-length".into(), AMQPValue::LongLongInt(limit));
            let refuse = AMQPValue::LongString("reject-publish".into());
            arguments.insert("x-overflow".into(), refuse);
        }
        let options = QueueDeclareOptions {
            durable: true,
            ..QueueDeclareOptions::default()
        };
        self.channel
            .queue_declare(name.as_str().into(), options, arguments)
            .await
            .unwrap();
        self.bind(&name, binding).await;
        name
    }

    pub(crate) async fn bind(&self, queue: &str, binding: &str) {
        self.channel
            .queue_bind(
                queue.into(),
                self.exchange.as_str().into(),
                binding.into(),
                QueueBindOptions::default(),
                FieldTable::default(),
            )
            .await
            .unwrap();
    }

    /// The next message of the queue, if there is one.
    pub(crate) async fn next(&self, queue: &str) -> Option<Delivery> {
        let options = BasicGetOptions { no_ack: true };
        let message = self.channel.basic_get(queue.into(), options).await;
        message.unwrap().map(|message| message.delivery)
    }

    /// The next message, which will come.
    pub(crate) async fn wait(&self, queue: &str) -> Delivery {
        let came = async {
            loop {
                if let Some(delivery) = self.next(queue).await {
                    return delivery;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(LONG, came).await.unwrap()
    }

    /// All that is in the queue.
    pub(crate) async fn all(&self, queue: &str) -> Vec<Delivery> {
        let mut all = Vec::new();
        while let Some(delivery) = self.next(queue).await {
            all.push(delivery);
        }
        all
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        let exchange = self.exchange.clone();
        let queues: Vec<String> = (0..self.queues).map(|it| self.queue_name(it)).collect();
        let clean_up = move || {
            let runtime = tokio::runtime::Builder::new_multi_thread()
                .worker_threads(1)
                .enable_all()
                .build();
            runtime.unwrap().block_on(async {
                let connection = connection().await;
                let channel = connection.create_channel().await.unwrap();
                for queue in queues {
                    let options = QueueDeleteOptions::default();
                    channel
                        .queue_delete(queue.as_str().into(), options)
                        .await
                        .unwrap();
                }
                let options = ExchangeDeleteOptions::default();
                channel
                    .exchange_delete(exchange.as_str().into(), options)
                    .await
                    .unwrap();
                connection.close(200, "OK".into()).await.unwrap();
            });
        };
        std::thread::spawn(clean_up).join().unwrap();
    }
}
