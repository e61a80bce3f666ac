//! What the receiver gets.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use dvt_cloudevents::Received;
use dvt_conformance::fixture;
use dvt_contracts::{EventSink as _, RunEvent};
use dvt_sink_webhook::{
    Secrets, SignatureHeaders, TOLERANCE, WebhookMode, WebhookSettings, WebhookSink,
};

use crate::receiver::{Receiver, Reply, Request};
use crate::stage::{all, events, publish, run, settings, sink, unknown};
use crate::trial::{Outcome, trials};

trials![
    structured_mode_posts_the_whole_event,
    binary_mode_posts_the_payload_and_the_attributes_as_headers,
    both_modes_keep_odd_payloads_byte_for_byte,
    operators_headers_and_the_query_are_sent,
    a_retry_keeps_its_id_and_has_a_new_time,
    both_secrets_sign_while_they_are_changed,
    a_claim_number_reaches_the_receiver,
];

const OLD: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const NEW: &str = "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

pub(crate) fn received(request: &Request) -> Received {
    if request.headers["content-type"] == "application/json" {
        let header = |name: &str| request.headers.get(name).cloned();
        Received::from_headers(header, &request.body).unwrap()
    } else {
        Received::from_json(request.body.as_bytes()).unwrap()
    }
}

fn verified(request: &Request, secrets: &str) -> bool {
    let headers = SignatureHeaders {
        id: &request.headers["webhook-id"],
        timestamp: &request.headers["webhook-timestamp"],
        signature: &request.headers["webhook-signature"],
    };
    Secrets::parse(secrets)
        .unwrap()
        .verify(
            &headers,
            request.body.as_bytes(),
            SystemTime::now(),
            TOLERANCE,
        )
        .is_ok()
}

async fn structured_mode_posts_the_whole_event() -> Outcome {
    let receiver = Receiver::willing().await;

    let published = publish(&sink(&receiver).await, 1).await;

    assert_eq!(published, all(1));
    let requests = receiver.requests();
    let [request] = &requests[..] else {
        panic!("{requests:?}");
    };
    let stored = &events(1)[0];
    assert_eq!(request.line, "POST /hook HTTP/1.1");
    assert_eq!(request.headers["host"], receiver.address.to_string());
    assert_eq!(
        request.headers["content-type"],
        "application/cloudevents+json; charset=utf-8"
    );
    assert_eq!(
        request.headers["webhook-id"],
        stored.event_id(&run()).to_string()
    );
    assert_eq!(request.headers["accept-encoding"], "identity");
    assert!(!request.headers.contains_key("webhook-signature"));
    let received = received(request);
    assert_eq!(received.run, run());
    assert_eq!(received.run_seq, 1);
    assert_eq!(received.data, "{\"note\": \"k1\"}");
    Ok(())
}

async fn binary_mode_posts_the_payload_and_the_attributes_as_headers() -> Outcome {
    let receiver = Receiver::willing().await;
    let settings = settings(&receiver)
        .with_mode(WebhookMode::Binary)
        .with_secrets(Secrets::parse(OLD)?);
    let sink = WebhookSink::connect(settings).await?;

    let published = publish(&sink, 2).await;

    assert_eq!(published, all(2));
    let request = &receiver.requests()[1];
    assert_eq!(request.body, "{\"note\": \"k2\"}");
    assert_eq!(request.headers["content-type"], "application/json");
    assert_eq!(request.headers["ce-specversion"], "1.0");
    assert_eq!(request.headers["ce-subject"], "nightly%252F7");
    let received = received(request);
    assert_eq!((received.run, received.run_seq), (run(), 2));
    assert!(verified(request, OLD));
    Ok(())
}

/// A payload of a mebibyte, and such as parsers change.
fn odd() -> Vec<RunEvent> {
    let long = format!("\"{}\"", "x".repeat(1024 * 1024 - 2));
    let payloads = [
        "1e400",
        "{\"a\":1,\"a\":2}",
        "\"\\u00e9\\/\\ud83d\\ude00 é😀\"",
        "[ 1 ,\n2\t]",
        "-0",
        &long,
    ];
    let mut events = events(6);
    for (stored, payload) in events.iter_mut().zip(payloads) {
        let event = fixture::note(stored.event.idempotency_key().as_str());
        stored.event = event.with_payload(fixture::payload(payload));
    }
    events
}

async fn both_modes_keep_odd_payloads_byte_for_byte() -> Outcome {
    for mode in [WebhookMode::Structured, WebhookMode::Binary] {
        let receiver = Receiver::willing().await;
        let sink = WebhookSink::connect(settings(&receiver).with_mode(mode)).await?;
        let events = odd();

        let published = sink.publish(&run(), 1, &events).await;

        assert_eq!(published, all(6));
        let requests = receiver.requests();
        assert_eq!(requests.len(), 6);
        for (stored, request) in events.iter().zip(&requests) {
            let received = received(request);
            assert!(
                received.data == stored.event.payload().as_str(),
                "{mode:?} {}",
                stored.run_seq
            );
            assert_eq!(received.id, stored.event_id(&run()).to_string());
        }
    }
    Ok(())
}

async fn operators_headers_and_the_query_are_sent() -> Outcome {
    let receiver = Receiver::willing().await;
    let url = receiver.url("/a%20b/ü?token=a%26b&x");
    let settings = WebhookSettings::from_url(&url)?
        .with_private_addresses(true)
        .with_plaintext(true)
        .with_header("Authorization", "Bearer abc.def")?
        .with_header("x-team", "data")?;
    let sink = WebhookSink::connect(settings).await?;

    let published = publish(&sink, 1).await;

    assert_eq!(published, all(1));
    let request = &receiver.requests()[0];
    assert_eq!(request.line, "POST /a%20b/%C3%BC?token=a%26b&x HTTP/1.1");
    assert_eq!(request.headers["authorization"], "Bearer abc.def");
    assert_eq!(request.headers["x-team"], "data");
    Ok(())
}

async fn a_retry_keeps_its_id_and_has_a_new_time() -> Outcome {
    let receiver = Receiver::start(|nth, _| match nth {
        1 => Reply::status(503, "", ""),
        2 | 3 => Reply::hang_up(),
        _ => Reply::ok(),
    })
    .await;
    let settings = settings(&receiver).with_secrets(Secrets::parse(OLD)?);
    let sink = WebhookSink::connect(settings).await?;

    let mut published = Vec::new();
    for _ in 0..3 {
        published.push(publish(&sink, 1).await);
        next_second().await;
    }

    assert!(unknown(&published[1]).starts_with("the receiver may have it"));
    assert_eq!(published[2], all(1));
    let requests = receiver.requests();
    assert_eq!(requests.len(), 4);
    let time = |at: usize| {
        requests[at].headers["webhook-timestamp"]
            .parse::<u64>()
            .unwrap()
    };
    assert!(time(0) < time(1) && time(2) < time(3), "{requests:?}");
    for request in &requests {
        assert_eq!(
            request.headers["webhook-id"],
            requests[0].headers["webhook-id"]
        );
        assert!(verified(request, OLD), "{request:?}");
        assert!(!verified(request, NEW), "{request:?}");
    }
    Ok(())
}

/// Waits for the clock to show another second.
async fn next_second() {
    let second = || {
        SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap()
            .as_secs()
    };
    let before = second();
    while second() == before {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn both_secrets_sign_while_they_are_changed() -> Outcome {
    let receiver = Receiver::willing().await;
    let both = Secrets::parse(&format!("{OLD} {NEW}"))?;
    let sink = WebhookSink::connect(settings(&receiver).with_secrets(both)).await?;

    publish(&sink, 1).await;

    let request = &receiver.requests()[0];
    assert_eq!(request.headers["webhook-signature"].split(' ').count(), 2);
    assert!(verified(request, OLD) && verified(request, NEW));
    Ok(())
}

async fn a_claim_number_reaches_the_receiver() -> Outcome {
    let receiver = Receiver::willing().await;

    sink(&receiver).await.publish(&run(), 42, &events(1)).await;

    assert_eq!(received(&receiver.requests()[0]).claim_no, 42);
    Ok(())
}
