//! Connections are kept, given up, and never left in a bad state.

use std::time::Duration;

use dvt_conformance::fixture;
use dvt_contracts::EventSink as _;
use dvt_sink_webhook::WebhookSink;
use tokio::time::timeout;

use crate::receiver::{Receiver, Reply};
use crate::stage::{LONG, all, events, publish, run, settings, sink, wait_until};
use crate::trial::{Outcome, trials};

trials![
    one_connection_serves_many_requests,
    runs_go_out_side_by_side,
    a_connection_that_was_closed_while_idle_costs_nothing,
    an_answer_that_closes_is_followed_by_a_new_connection,
    an_unfinished_answer_is_never_taken_for_the_next,
    a_dropped_publish_harms_no_other,
];

async fn one_connection_serves_many_requests() -> Outcome {
    let receiver = Receiver::willing().await;
    let sink = sink(&receiver).await;

    assert_eq!(publish(&sink, 50).await, all(50));
    assert_eq!(publish(&sink, 50).await, all(50));

    assert_eq!(receiver.connections(), 1);
    Ok(())
}

async fn runs_go_out_side_by_side() -> Outcome {
    let receiver = Receiver::willing().await;
    let sink = std::sync::Arc::new(sink(&receiver).await);
    let mut publishing = tokio::task::JoinSet::new();
    for number in 0..64 {
        let sink = sink.clone();
        publishing.spawn(async move {
            let run = fixture::run(&format!("run-{number}"));
            sink.publish(&run, 1, &events(10)).await
        });
    }

    for published in publishing.join_all().await {
        assert_eq!(published, all(10));
    }

    assert_eq!(receiver.requests().len(), 640);
    Ok(())
}

async fn a_connection_that_was_closed_while_idle_costs_nothing() -> Outcome {
    let told = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
    // It says nothing of closing, and closes.
    let receiver = Receiver::start(move |_, _| Reply::SayAndClose(told.into())).await;
    let sink = sink(&receiver).await;

    assert_eq!(publish(&sink, 20).await, all(20));

    assert_eq!(receiver.requests().len(), 20);
    Ok(())
}

async fn an_answer_that_closes_is_followed_by_a_new_connection() -> Outcome {
    let told = "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok";
    let receiver = Receiver::start(move |_, _| Reply::Say(told.into())).await;
    let sink = sink(&receiver).await;

    assert_eq!(publish(&sink, 5).await, all(5));

    assert_eq!(receiver.connections(), 5);
    Ok(())
}

async fn an_unfinished_answer_is_never_taken_for_the_next() -> Outcome {
    let receiver = Receiver::start(|nth, _| match nth {
        // The rest of the body looks like an answer.
        1 => Reply::Say("HTTP/1.1 503 No\r\ncontent-length: 100000\r\n\r\nHTTP/1.1 200 OK\r\n\r\n".into()),
        // Two answers to one request.
        2 => Reply::Say("HTTP/1.1 503 No\r\ncontent-length: 0\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n".into()),
        _ => Reply::status(503, "", ""),
    })
    .await;
    let sink = sink(&receiver).await;

    for _ in 0..4 {
        assert_eq!(publish(&sink, 1).await.stored, 0);
    }
    Ok(())
}

async fn a_dropped_publish_harms_no_other() -> Outcome {
    let receiver =
        Receiver::start(
            |_, request| match crate::requests::received(request).claim_no {
                1 => Reply::silence(),
                _ => Reply::ok(),
            },
        )
        .await;
    let settings = settings(&receiver).with_deadline(LONG)?;
    let sink = WebhookSink::connect(settings).await?;

    for dropped in 1..=100 {
        let after = Duration::from_micros(dropped * 50);
        let silent = timeout(after, sink.publish(&run(), 1, &events(1))).await;
        assert!(silent.is_err());
        assert_eq!(sink.publish(&run(), 2, &events(1)).await, all(1));
    }
    // The one that waits for the next request.
    wait_until(|| receiver.open() <= 1).await;
    Ok(())
}
