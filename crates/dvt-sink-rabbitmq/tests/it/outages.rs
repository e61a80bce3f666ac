//! The connection goes, and comes back.

use std::sync::Arc;

use dvt_cloudevents::{Inbox, Received, Verdict};
use dvt_conformance::fixture;
use dvt_contracts::EventSink as _;
use dvt_sink_rabbitmq::{RabbitMqConnectError, RabbitMqSink};
use lapin::ExchangeKind;
use tokio::time::{Instant, timeout};

use crate::broker::Broker;
use crate::frames::goodbye;
use crate::proxy::Proxy;
use crate::stage::{
    LONG, SHORT, all, by_way_of, events, publish, run, unavailable, unknown, until_stored,
};
use crate::trial::{Outcome, trials};

trials![
    a_cut_before_the_confirm_leaves_it_unknown_and_again_is_a_duplicate,
    a_server_that_goes_away_and_comes_back_needs_no_restart,
    a_server_that_says_goodbye_is_unknown_once_and_then_connected_to_again,
    a_server_that_falls_silent_keeps_nobody,
    many_publishers_make_one_connection,
    a_publish_ends_in_time_while_there_is_no_connection,
    dropped_publishes_leave_no_channels_and_take_nobodys_confirm,
    a_call_that_is_over_ends_with_what_is_stored,
    a_sink_that_is_dropped_lets_go,
];

async fn a_cut_before_the_confirm_leaves_it_unknown_and_again_is_a_duplicate() -> Outcome {
    let mut broker = Broker::new(ExchangeKind::Topic).await;
    let queue = broker.queue("#").await;
    let proxy = Proxy::new().await;
    let sink = Arc::new(RabbitMqSink::connect(by_way_of(&proxy, &broker)).await?);
    let mut inbox = Inbox::default();
    assert_eq!(publish(&sink, 1).await, all(1));
    inbox.receive(&Received::from_json(&broker.wait(&queue).await.data)?);

    proxy.hold(true);
    let publishing = tokio::spawn({
        let sink = sink.clone();
        async move { sink.publish(&run(), 1, &events(3)[1..]).await }
    });
    let first = Received::from_json(&broker.wait(&queue).await.data)?;
    proxy.cut();
    let published = publishing.await?;
    proxy.hold(false);

    let (stored, reason) = unknown(&published);
    assert_eq!(stored, 0);
    assert!(reason.starts_with("no confirm: "), "{reason}");
    assert_eq!(inbox.receive(&first), Verdict::Next);

    let again = sink.publish(&run(), 2, &events(3)[1..]).await;
    assert_eq!(again, all(2));
    let verdicts = [
        inbox.receive(&Received::from_json(&broker.wait(&queue).await.data)?),
        inbox.receive(&Received::from_json(&broker.wait(&queue).await.data)?),
    ];
    assert_eq!(verdicts, [Verdict::Duplicate, Verdict::Next]);
    assert!(broker.next(&queue).await.is_none());
    Ok(())
}

async fn a_server_that_goes_away_and_comes_back_needs_no_restart() -> Outcome {
    let mut broker = Broker::new(ExchangeKind::Topic).await;
    let queue = broker.queue("#").await;
    let proxy = Proxy::new().await;
    let sink = RabbitMqSink::connect(by_way_of(&proxy, &broker)).await?;
    assert_eq!(publish(&sink, 1).await, all(1));

    for _ in 0..2 {
        proxy.go_away().await;
        proxy.wait(|seen| seen.ended == seen.accepted).await;
        // The first ones may still find the connection that is ending.
        let refused = timeout(LONG, async {
            loop {
                let published = publish(&sink, 1).await;
                assert_eq!(published.stored, 0);
                if format!("{published:?}").contains("cannot be reached") {
                    return published;
                }
            }
        });
        unavailable(&refused.await?);
        proxy.come_back().await;
        until_stored(&sink, 1).await;
    }

    assert_eq!(broker.all(&queue).await.len(), 3);
    assert_eq!(proxy.seen().accepted, 3);
    Ok(())
}

async fn a_server_that_says_goodbye_is_unknown_once_and_then_connected_to_again() -> Outcome {
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
    broker.wait(&queue).await;
    proxy.inject(goodbye());
    let (stored, _) = unknown(&publishing.await?);
    proxy.hold(false);

    assert_eq!(stored, 0);
    assert_eq!(publish(&sink, 2).await, all(2));
    assert_eq!(proxy.seen().accepted, 2);
    Ok(())
}

async fn a_server_that_falls_silent_keeps_nobody() -> Outcome {
    let mut broker = Broker::new(ExchangeKind::Topic).await;
    broker.queue("#").await;
    let proxy = Proxy::new().await;
    let settings = by_way_of(&proxy, &broker).with_confirm_timeout(SHORT)?;
    let sink = RabbitMqSink::connect(settings).await?;
    assert_eq!(publish(&sink, 1).await, all(1));

    proxy.hold(true);
    let begun = Instant::now();
    let published = timeout(LONG, publish(&sink, 1)).await?;

    assert_eq!(
        unknown(&published),
        (0, "no confirm within the time for it".to_owned())
    );
    assert!(begun.elapsed() >= SHORT);

    proxy.hold(false);
    until_stored(&sink, 1).await;
    Ok(())
}

async fn many_publishers_make_one_connection() -> Outcome {
    let mut broker = Broker::new(ExchangeKind::Topic).await;
    let queue = broker.queue("#").await;
    let proxy = Proxy::new().await;
    let sink = Arc::new(RabbitMqSink::connect(by_way_of(&proxy, &broker)).await?);
    proxy.cut();
    proxy.wait(|seen| seen.ended == 1).await;
    // Until the sink has noticed, what is offered may still end as lost.
    timeout(LONG, async {
        while publish(&sink, 1).await.stop.is_some() {}
    })
    .await?;
    proxy.cut();
    proxy.wait(|seen| seen.ended == 2).await;

    let publishing: Vec<_> = (0..64)
        .map(|number| {
            let sink = sink.clone();
            tokio::spawn(async move {
                let run = fixture::run(&format!("run {number}"));
                while sink.publish(&run, 1, &events(2)).await.stop.is_some() {}
            })
        })
        .collect();
    for published in publishing {
        timeout(LONG, published).await??;
    }

    assert_eq!(proxy.seen().accepted, 3);
    let (opened, closed) = proxy.channels();
    assert!(opened <= 64 && closed == 0, "{opened} {closed}");
    assert!(broker.all(&queue).await.len() > 128);
    Ok(())
}

async fn a_publish_ends_in_time_while_there_is_no_connection() -> Outcome {
    let mut broker = Broker::new(ExchangeKind::Topic).await;
    broker.queue("#").await;
    let proxy = Proxy::new().await;
    let settings = by_way_of(&proxy, &broker).with_deadline(SHORT)?;
    let sink = RabbitMqSink::connect(settings).await?;
    proxy.cut();
    proxy.wait(|seen| seen.ended == 1).await;

    // The server takes connections, and says nothing.
    proxy.hold(true);
    let refused = timeout(LONG, async {
        loop {
            let published = publish(&sink, 1).await;
            if format!("{published:?}").contains("no connection within") {
                return published;
            }
        }
    });
    assert_eq!(
        unavailable(&refused.await?),
        (0, "no connection within the time for a publish".to_owned())
    );

    proxy.hold(false);
    until_stored(&sink, 1).await;
    Ok(())
}

async fn dropped_publishes_leave_no_channels_and_take_nobodys_confirm() -> Outcome {
    let mut broker = Broker::new(ExchangeKind::Topic).await;
    let queue = broker.queue("#").await;
    let proxy = Proxy::new().await;
    let sink = Arc::new(RabbitMqSink::connect(by_way_of(&proxy, &broker)).await?);
    assert_eq!(publish(&sink, 1).await, all(1));
    broker.wait(&queue).await;

    for round in 0..5_u32 {
        let publishing: Vec<_> = (0..32)
            .map(|number| {
                let sink = sink.clone();
                tokio::spawn(async move {
                    let run = fixture::run(&format!("run {round} {number}"));
                    sink.publish(&run, 1, &events(20)).await
                })
            })
            .collect();
        // Somewhere between two awaits, other ones each time.
        tokio::time::sleep(std::time::Duration::from_millis(3 * u64::from(round))).await;
        for task in publishing {
            task.abort();
            let _ = task.await;
        }
    }

    assert_eq!(publish(&sink, 50).await, all(50));
    let (opened, closed) = timeout(LONG, async {
        loop {
            let (opened, closed) = proxy.channels();
            // At most as many are left as publishers were there at once.
            if opened - closed <= 33 {
                return (opened, closed);
            }
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    })
    .await?;
    assert!(closed > 1, "{opened} {closed}");
    let ours = broker.all(&queue).await;
    let ours = ours.iter().filter(|message| {
        let received = Received::from_json(&message.data).unwrap();
        received.run == run()
    });
    assert_eq!(ours.count(), 50);
    Ok(())
}

async fn a_call_that_is_over_ends_with_what_is_stored() -> Outcome {
    let mut broker = Broker::new(ExchangeKind::Topic).await;
    let queue = broker.queue("#").await;
    let proxy = Proxy::new().await;
    let settings = by_way_of(&proxy, &broker).with_deadline(SHORT)?;
    let sink = RabbitMqSink::connect(settings).await?;

    let published = timeout(LONG, sink.publish(&run(), 1, &events(100_000))).await?;

    assert!(0 < published.stored && published.stored < 100_000);
    assert!(published.stop.is_some());
    let arrived = broker.all(&queue).await.len();
    assert!(
        arrived == published.stored || arrived == published.stored + 1,
        "{arrived} {published:?}"
    );
    Ok(())
}

async fn a_sink_that_is_dropped_lets_go() -> Outcome {
    let mut broker = Broker::new(ExchangeKind::Topic).await;
    broker.queue("#").await;
    let proxy = Proxy::new().await;
    for silent in [false, true] {
        let sink = RabbitMqSink::connect(by_way_of(&proxy, &broker)).await?;
        assert_eq!(publish(&sink, 1).await, all(1));
        proxy.hold(silent);
        drop(sink);
        proxy.wait(|seen| seen.ended == seen.accepted).await;
        proxy.hold(false);
    }

    proxy.go_away().await;
    let error = RabbitMqSink::connect(by_way_of(&proxy, &broker)).await;
    assert!(matches!(
        error.unwrap_err(),
        RabbitMqConnectError::Unreachable { .. }
    ));
    Ok(())
}
