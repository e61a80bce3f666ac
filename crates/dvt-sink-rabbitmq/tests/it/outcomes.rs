//! What the server says, and what becomes of the event.

use std::sync::Arc;
use std::time::Instant;

use dvt_cloudevents::{CONTENT_TYPE, Received};
use dvt_conformance::fixture;
use dvt_contracts::{EventSink as _, Stop};
use dvt_sink_rabbitmq::{RabbitMqSettings, RabbitMqSink};
use lapin::ExchangeKind;

use crate::broker::{Broker, address, userinfo};
use crate::frames::{blocked, too_large, unblocked};
use crate::proxy::Proxy;
use crate::stage::{
    LONG, SHORT, all, by_way_of, events, publish, rejected, run, settings, unavailable,
    until_stored,
};
use crate::trial::{Outcome, trials};

trials![
    a_consumer_gets_the_whole_event_durable_and_named,
    without_a_queue_nothing_is_stored,
    a_full_queue_refuses_and_nothing_is_stored,
    a_deleted_exchange_is_an_outage_until_it_is_back,
    an_exchange_that_takes_nothing_is_an_outage,
    the_longest_routing_key_is_sent_and_a_longer_one_never,
    a_message_over_the_limit_is_rejected_with_both_sizes,
    what_the_server_finds_too_large_is_rejected_with_its_size,
    a_server_that_blocks_publishers_gets_nothing,
];

async fn a_consumer_gets_the_whole_event_durable_and_named() -> Outcome {
    let mut broker = Broker::new(ExchangeKind::Topic).await;
    let queue = broker.queue("dvt.*.*").await;
    let sink = RabbitMqSink::connect(settings(&broker)).await?;
    let events = events(3);

    let published = sink.publish(&run(), 7, &events).await;

    assert_eq!(published, all(3));
    let messages = broker.all(&queue).await;
    assert_eq!(messages.len(), 3);
    for (message, stored) in messages.iter().zip(&events) {
        let received = Received::from_json(&message.data)?;
        let id = stored.event_id(&run()).to_string();
        assert_eq!(
            (
                &received.id,
                &received.run,
                received.run_seq,
                received.claim_no
            ),
            (&id, &run(), stored.run_seq, 7)
        );
        assert_eq!(received.data, stored.event.payload().as_str());
        let properties = &message.properties;
        let text = |text: &Option<lapin::types::ShortString>| text.clone().unwrap().to_string();
        assert_eq!(*properties.delivery_mode(), Some(2));
        assert_eq!(text(properties.message_id()), id);
        assert_eq!(text(properties.content_type()), CONTENT_TYPE);
        assert_eq!(
            text(properties.kind()),
            format!("dvt.{}", stored.event.event_type())
        );
        assert_eq!(text(properties.app_id()), "dvt");
        let seconds = stored.event.emitted_at().as_micros() / 1_000_000;
        assert_eq!(*properties.timestamp(), Some(u64::try_from(seconds)?));
        let tenant = dvt_cloudevents::encode(run().tenant_id.as_str());
        assert_eq!(
            message.routing_key.as_str(),
            format!("dvt.{tenant}.nightly%2F7")
        );
    }
    Ok(())
}

async fn without_a_queue_nothing_is_stored() -> Outcome {
    let mut broker = Broker::new(ExchangeKind::Topic).await;
    let sink = RabbitMqSink::connect(settings(&broker)).await?;

    let refused = publish(&sink, 3).await;

    let (stored, reason) = unavailable(&refused);
    assert_eq!(stored, 0);
    assert!(
        reason.starts_with(&format!(
            "returned: no queue is bound to the exchange {} for the routing key dvt.",
            broker.exchange
        )),
        "{reason}"
    );

    let queue = broker.queue("#").await;
    assert_eq!(publish(&sink, 3).await, all(3));
    assert_eq!(broker.all(&queue).await.len(), 3);
    Ok(())
}

async fn a_full_queue_refuses_and_nothing_is_stored() -> Outcome {
    let mut broker = Broker::new(ExchangeKind::Topic).await;
    let queue = broker.limited_queue("#", Some(2)).await;
    let sink = RabbitMqSink::connect(settings(&broker)).await?;

    let refused = publish(&sink, 4).await;

    assert_eq!(
        unavailable(&refused),
        (
            2,
            "refused with a nack: a queue is full or has failed".to_owned()
        )
    );
    assert_eq!(broker.all(&queue).await.len(), 2);
    assert_eq!(publish(&sink, 2).await, all(2));
    Ok(())
}

async fn a_deleted_exchange_is_an_outage_until_it_is_back() -> Outcome {
    let mut broker = Broker::new(ExchangeKind::Topic).await;
    let queue = broker.queue("#").await;
    let sink = RabbitMqSink::connect(settings(&broker)).await?;
    assert_eq!(publish(&sink, 1).await, all(1));

    broker.delete_exchange().await;
    for _ in 0..3 {
        let (stored, reason) = unavailable(&publish(&sink, 1).await);
        assert_eq!(stored, 0);
        assert!(reason.contains("declare exchange name="), "{reason}");
    }

    broker.declare_exchange(ExchangeKind::Topic, false).await;
    broker.bind(&queue, "#").await;
    assert_eq!(publish(&sink, 2).await, all(2));
    assert_eq!(broker.all(&queue).await.len(), 3);
    Ok(())
}

async fn an_exchange_that_takes_nothing_is_an_outage() -> Outcome {
    let broker = Broker::new(ExchangeKind::Topic).await;
    broker.delete_exchange().await;
    broker.declare_exchange(ExchangeKind::Topic, true).await;
    let sink = RabbitMqSink::connect(settings(&broker)).await?;

    let (stored, reason) = unavailable(&publish(&sink, 1).await);

    assert_eq!(stored, 0);
    assert!(reason.contains("internal"), "{reason}");
    Ok(())
}

async fn the_longest_routing_key_is_sent_and_a_longer_one_never() -> Outcome {
    let mut broker = Broker::new(ExchangeKind::Topic).await;
    let queue = broker.queue("#").await;
    let url = format!(
        "amqp://{}@{}/{}?routing_key=%7brun%7d",
        userinfo(),
        address(),
        broker.exchange
    );
    let sink = RabbitMqSink::connect(RabbitMqSettings::from_url(&url)?).await?;
    // A slash takes three bytes.
    let (longest, longer) = (
        format!("/{}", "a".repeat(252)),
        format!("/{}", "a".repeat(253)),
    );

    let sent = sink.publish(&fixture::run(&longest), 1, &events(1)).await;
    let refused = sink.publish(&fixture::run(&longer), 1, &events(1)).await;

    assert_eq!(sent, all(1));
    assert_eq!(
        rejected(&refused),
        (
            0,
            "the routing key has 256 bytes: at most 255 are possible".to_owned()
        )
    );
    let messages = broker.all(&queue).await;
    assert_eq!(messages.len(), 1);
    assert_eq!(messages[0].routing_key.as_str().len(), 255);
    Ok(())
}

async fn a_message_over_the_limit_is_rejected_with_both_sizes() -> Outcome {
    let mut broker = Broker::new(ExchangeKind::Topic).await;
    let queue = broker.queue("#").await;
    let events = events(1);
    let size = dvt_cloudevents::CloudEvent::new(&run(), 1, &events[0])
        .to_json()
        .len();
    let enough = RabbitMqSink::connect(settings(&broker).with_max_body(size)).await?;
    let little = RabbitMqSink::connect(settings(&broker).with_max_body(size - 1)).await?;

    let refused = little.publish(&run(), 1, &events).await;
    let sent = enough.publish(&run(), 1, &events).await;

    let limit = size - 1;
    assert_eq!(
        rejected(&refused),
        (
            0,
            format!("the message has {size} bytes: at most {limit} are allowed")
        )
    );
    assert_eq!(sent, all(1));
    assert_eq!(broker.all(&queue).await.len(), 1);
    Ok(())
}

async fn what_the_server_finds_too_large_is_rejected_with_its_size() -> Outcome {
    let mut broker = Broker::new(ExchangeKind::Topic).await;
    let queue = broker.queue("#").await;
    let proxy = Proxy::new().await;
    let sink = Arc::new(RabbitMqSink::connect(by_way_of(&proxy, &broker)).await?);

    assert_eq!(publish(&sink, 1).await, all(1));
    broker.wait(&queue).await;
    proxy.hold(true);
    let publishing = tokio::spawn({
        let sink = sink.clone();
        async move { publish(&sink, 1).await }
    });
    let size = broker.wait(&queue).await.data.len();
    proxy.inject(too_large(proxy.newest_channel()));
    let (stored, reason) = rejected(&publishing.await?);
    proxy.hold(false);

    assert_eq!(stored, 0);
    assert!(
        reason.starts_with(&format!("the message has {size} bytes: "))
            && reason.ends_with("message size 7 is larger than configured max size 6"),
        "{reason}"
    );
    until_stored(&sink, 1).await;
    Ok(())
}

async fn a_server_that_blocks_publishers_gets_nothing() -> Outcome {
    let mut broker = Broker::new(ExchangeKind::Topic).await;
    let queue = broker.queue("#").await;
    let proxy = Proxy::new().await;
    let settings = by_way_of(&proxy, &broker).with_confirm_timeout(SHORT)?;
    let sink = RabbitMqSink::connect(settings).await?;
    assert_eq!(publish(&sink, 1).await, all(1));

    // The notice travels beside our publishes: some may still get through before it, and the one that it meets is unknown.
    proxy.inject(blocked());
    let mut through = 1;
    let noticed = tokio::time::timeout(LONG, async {
        loop {
            match publish(&sink, 1).await.stop {
                None => through += 1,
                Some(Stop::Unknown { .. }) => {}
                Some(_) => return,
            }
        }
    });
    noticed.await?;
    let begun = Instant::now();
    for _ in 0..3 {
        assert_eq!(
            unavailable(&publish(&sink, 1).await),
            (
                0,
                "RabbitMQ is short of memory or disk and takes nothing".to_owned()
            )
        );
    }
    assert!(begun.elapsed() < LONG);

    proxy.inject(unblocked());
    until_stored(&sink, 1).await;
    let messages = broker.all(&queue).await;
    assert!(messages.len() > through, "{} {through}", messages.len());
    assert_eq!(proxy.seen().accepted, 1);
    Ok(())
}
