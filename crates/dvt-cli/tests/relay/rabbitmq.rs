//! From a store to RabbitMQ, as processes.

use dvt_cloudevents::{Inbox, Received, Verdict};
use lapin::options::{
    BasicGetOptions, ExchangeDeclareOptions, ExchangeDeleteOptions, QueueBindOptions,
    QueueDeclareOptions, QueueDeleteOptions,
};
use lapin::types::FieldTable;
use lapin::{Channel, Connection, ConnectionProperties, ExchangeKind};

use crate::database::Database;
use crate::process::Process;
use crate::stage::{end, outbox, record, wait_for_outbox};

/// Where the server is, without a vhost.
fn url() -> String {
    let url = std::env::var("DVT_AMQP_URL").unwrap();
    url.trim_end_matches("/%2f")
        .trim_end_matches('/')
        .to_owned()
}

fn on_the_bus<T>(work: impl AsyncFnOnce(Channel) -> T) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let to = format!("{}/%2f", url());
        let connection = Connection::connect(&to, ConnectionProperties::default());
        let connection = connection.await.unwrap();
        let outcome = work(connection.create_channel().await.unwrap()).await;
        // Its channel is closing already.
        let _ = connection.close(200, "done".into()).await;
        outcome
    })
}

/// An exchange of this name, and a queue of the same name that gets all that goes there.
fn declare(name: &str) {
    on_the_bus(async |channel| {
        let (exchange, queue) = (name.into(), name.into());
        let options = ExchangeDeclareOptions::default();
        channel
            .exchange_declare(
                exchange,
                ExchangeKind::Topic,
                options,
                FieldTable::default(),
            )
            .await
            .unwrap();
        channel
            .queue_declare(queue, QueueDeclareOptions::default(), FieldTable::default())
            .await
            .unwrap();
        let options = QueueBindOptions::default();
        channel
            .queue_bind(
                name.into(),
                name.into(),
                "#".into(),
                options,
                FieldTable::default(),
            )
            .await
            .unwrap();
    });
}

/// What the queue holds; it is taken away with its exchange.
fn taken(name: &str) -> Vec<Received> {
    on_the_bus(async |channel| {
        let mut events = Vec::new();
        let options = BasicGetOptions { no_ack: true };
        while let Some(message) = channel.basic_get(name.into(), options).await.unwrap() {
            events.push(Received::from_json(&message.delivery.data).unwrap());
        }
        let options = QueueDeleteOptions::default();
        channel.queue_delete(name.into(), options).await.unwrap();
        let options = ExchangeDeleteOptions::default();
        channel.exchange_delete(name.into(), options).await.unwrap();
        events
    })
}

pub(crate) fn a_queue_gets_every_event_in_order_through_a_kill(database: &Database) {
    let (runs, events) = (100, 50);
    record(database, runs, events);
    let exchange = database.schema.clone();
    declare(&exchange);
    let to = format!("{}/{exchange}", url());
    let start = || {
        let args = [
            "relay",
            "--to",
            &to,
            "--json",
            "--lease",
            "1s",
            "--poll-interval",
            "100ms",
        ];
        Process::start(database.command(&args))
    };
    let (killed, other) = (start(), start());
    wait_for_outbox(database, |status| {
        status["pending_events"].as_u64() < Some((runs * events) as u64 / 2)
    });
    killed.kill();
    wait_for_outbox(database, |status| status["pending_events"] == 0);
    end(other);

    let mut inbox = Inbox::default();
    let arrived = taken(&exchange);
    let verdicts: Vec<Verdict> = arrived.iter().map(|event| inbox.receive(event)).collect();
    let of = |wanted: Verdict| {
        verdicts
            .iter()
            .filter(|verdict| **verdict == wanted)
            .count()
    };
    // A killed relay's last events come twice: at least once, and never out of order.
    assert_eq!(of(Verdict::Next), runs * events);
    assert_eq!(of(Verdict::Next) + of(Verdict::Duplicate), arrived.len());
    println!("{} duplicates after the kill", of(Verdict::Duplicate));
}

pub(crate) fn a_missing_exchange_is_told_before_anything_is_claimed(database: &Database) {
    record(database, 1, 1);
    let to = format!("{}/{}", url(), database.schema);
    let ran = database.dvt(&["relay", "--once", "--to", &to]);
    assert_eq!((ran.code, ran.out.as_str()), (7, ""), "{ran:?}");
    assert!(ran.err.contains("rabbitmqadmin"), "{ran:?}");
    let status = outbox(database);
    assert_eq!(status["due_runs"], 1);
    assert_eq!(status["destination"], serde_json::Value::Null);
}

/// Messages that nobody's queue takes are not stored, and the operator is told why.
pub(crate) fn an_exchange_without_a_queue_takes_nothing(database: &Database) {
    record(database, 3, 2);
    let exchange = database.schema.clone();
    declare(&exchange);
    on_the_bus(async |channel| {
        let options = QueueDeleteOptions::default();
        channel
            .queue_delete(exchange.as_str().into(), options)
            .await
            .unwrap();
    });
    let to = format!("{}/{exchange}", url());
    let args = ["relay", "--once", "--to", &to, "--verdict-within", "100ms"];
    let ran = Process::start(database.command(&args)).ended();
    assert_eq!(ran.code, 7, "{ran:?}");
    assert!(ran.err.contains("no queue is bound"), "{ran:?}");
    let pending = wait_for_outbox(database, |status| status["leased_runs"] == 0);
    assert_eq!(pending["pending_events"], 6);
    on_the_bus(async |channel| {
        let options = ExchangeDeleteOptions::default();
        channel
            .exchange_delete(exchange.as_str().into(), options)
            .await
            .unwrap();
    });
}
