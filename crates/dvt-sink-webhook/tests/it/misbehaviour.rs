//! CASES I 84: receivers that are slow, endless, rude or gone.

use std::time::{Duration, Instant};

use dvt_contracts::{Published, Stop};
use dvt_sink_webhook::WebhookSink;

use crate::receiver::{Receiver, Reply};
use crate::stage::{LONG, SHORT, all, publish, settings, sink, unavailable, unknown, wait_until};
use crate::trial::{Outcome, trials};

trials![
    silence_ends_with_the_deadline,
    a_dripping_head_ends_with_the_deadline,
    endless_provisional_answers_end_with_the_deadline,
    provisional_answers_are_passed_over,
    a_head_without_end_is_no_answer,
    what_is_not_http_is_no_answer,
    hanging_up_without_an_answer_leaves_it_unknown,
    a_status_counts_however_its_body_ends,
    an_endless_body_is_cut_off,
    a_large_error_is_cut_to_a_line,
    packed_bodies_stay_packed,
    a_slow_receiver_gets_what_fits_into_the_time,
    a_receiver_that_is_gone_is_unavailable_until_it_returns,
];

/// What becomes of an event, and that it does within the time.
async fn answer(deadline: Duration, reply: Reply) -> Published {
    let receiver = Receiver::start(move |_, _| reply.clone()).await;
    let settings = settings(&receiver).with_deadline(deadline).unwrap();
    let sink = WebhookSink::connect(settings).await.unwrap();
    let begun_at = Instant::now();

    let published = publish(&sink, 1).await;

    assert!(begun_at.elapsed() < LONG / 2, "{:?}", begun_at.elapsed());
    published
}

fn too_late() -> Published {
    unavailable(0, "the receiver gave no answer within 400ms", None)
}

fn drip(first: &str, then: &str) -> Reply {
    Reply::Drip(first.into(), then.into(), Duration::from_millis(5))
}

async fn silence_ends_with_the_deadline() -> Outcome {
    let receiver = Receiver::start(|_, _| Reply::silence()).await;
    let sink = WebhookSink::connect(settings(&receiver).with_deadline(SHORT)?).await?;

    assert_eq!(publish(&sink, 1).await, too_late());

    wait_until(|| receiver.open() == 0).await;
    Ok(())
}

async fn a_dripping_head_ends_with_the_deadline() -> Outcome {
    assert_eq!(
        answer(SHORT, drip("HTTP/1.1 200 OK\r\n", "a: b\r\n")).await,
        too_late()
    );
    Ok(())
}

async fn endless_provisional_answers_end_with_the_deadline() -> Outcome {
    assert_eq!(
        answer(SHORT, drip("", "HTTP/1.1 102 Processing\r\n\r\n")).await,
        too_late()
    );
    Ok(())
}

async fn provisional_answers_are_passed_over() -> Outcome {
    let text = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
    assert_eq!(answer(LONG, Reply::Say(text.into())).await, all(1));
    Ok(())
}

async fn a_head_without_end_is_no_answer() -> Outcome {
    let first = format!("HTTP/1.1 200 OK\r\na: {}", "x".repeat(100_000));
    let reply = Reply::Drip(first.into(), vec![b'x'; 10_000], Duration::ZERO);
    unknown(&answer(LONG, reply).await);
    Ok(())
}

async fn what_is_not_http_is_no_answer() -> Outcome {
    for text in [
        "SSH-2.0-OpenSSH_9.6\r\n",
        "HTTP/1.1 2OO OK\r\n\r\n",
        "\0\0\0\0\0\0\0\0\0\0",
    ] {
        let reason = unknown(&answer(LONG, Reply::SayAndClose(text.into())).await);
        assert!(
            reason.starts_with("the receiver may have it, but gave no proper answer: "),
            "{reason}"
        );
    }
    Ok(())
}

async fn hanging_up_without_an_answer_leaves_it_unknown() -> Outcome {
    for text in ["", "HTTP/1.1 200 OK\r\ncontent-le"] {
        let reason = unknown(&answer(LONG, Reply::SayAndClose(text.into())).await);
        assert_eq!(
            reason,
            "the receiver may have it, but gave no proper answer: connection closed before message completed"
        );
    }
    Ok(())
}

async fn a_status_counts_however_its_body_ends() -> Outcome {
    let bodies = [
        Reply::SayAndClose("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nshort".into()),
        Reply::SayAndClose("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n".into()),
        Reply::SayAndClose("HTTP/1.0 200 OK\r\n\r\nuntil the end".into()),
        drip("HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n", "x"),
        Reply::Say("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n".into()),
    ];
    for reply in bodies {
        assert_eq!(answer(LONG, reply.clone()).await, all(1), "{reply:?}");
    }
    Ok(())
}

async fn an_endless_body_is_cut_off() -> Outcome {
    for (head, chunk) in [
        ("HTTP/1.1 200 OK\r\n\r\n", "x".repeat(10_000)),
        (
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n",
            format!("2710\r\n{}\r\n", "x".repeat(10_000)),
        ),
    ] {
        let reply = Reply::Drip(head.into(), chunk.into(), Duration::ZERO);
        let receiver = Receiver::start(move |_, _| reply.clone()).await;
        assert_eq!(publish(&sink(&receiver).await, 1).await, all(1));
        wait_until(|| receiver.open() == 0).await;
        // What sockets hold, and not what a second holds.
        assert!(receiver.dripped() < 16_000_000, "{}", receiver.dripped());
    }
    Ok(())
}

async fn a_large_error_is_cut_to_a_line() -> Outcome {
    let reply = Reply::status(400, "", &"<p>\nno ".repeat(10_000_000 / 7));

    let published = answer(LONG, reply).await;

    let Some(Stop::Rejected { reason }) = published.stop else {
        panic!("{published:?}");
    };
    let reason = reason.as_str();
    assert!(
        reason.starts_with("the receiver says 400 Bad Request: <p> no <p> no"),
        "{reason}"
    );
    assert!(
        reason.len() > 1_000 && reason.len() < 1_100,
        "{}",
        reason.len()
    );
    Ok(())
}

async fn packed_bodies_stay_packed() -> Outcome {
    // The head of a gzip file: whatever follows is never unpacked.
    let mut text =
        b"HTTP/1.1 500 No\r\ncontent-encoding: gzip\r\ncontent-length: 12\r\n\r\n".to_vec();
    text.extend(b"\x1f\x8b\x08\0\0\0\0\0\x02\x03ab");

    let published = answer(LONG, Reply::Say(text)).await;

    assert_eq!(
        published,
        unavailable(
            0,
            "the receiver says 500 Internal Server Error: \u{fffd} ab",
            None
        )
    );
    Ok(())
}

async fn a_slow_receiver_gets_what_fits_into_the_time() -> Outcome {
    let receiver = Receiver::start(|_, _| {
        std::thread::sleep(Duration::from_millis(150));
        Reply::ok()
    })
    .await;
    let settings = settings(&receiver).with_deadline(Duration::from_millis(1_000))?;
    let sink = WebhookSink::connect(settings).await?;

    let published = publish(&sink, 100).await;

    let Some(Stop::Unavailable {
        reason,
        retry_after: None,
    }) = &published.stop
    else {
        panic!("{published:?}");
    };
    assert!(
        reason.as_str().starts_with("the receiver is slow: "),
        "{reason}"
    );
    assert!((1..=4).contains(&published.stored), "{published:?}");
    assert_eq!(receiver.requests().len(), published.stored);
    Ok(())
}

async fn a_receiver_that_is_gone_is_unavailable_until_it_returns() -> Outcome {
    let receiver = Receiver::start(|_, _| Reply::ok_and_close()).await;
    let sink = sink(&receiver).await;
    let address = receiver.address;
    assert_eq!(publish(&sink, 1).await, all(1));

    receiver.stop().await;
    let gone = publish(&sink, 1).await;
    let returned = Receiver::start_at(address, |_, _| Reply::ok()).await;
    let back = publish(&sink, 1).await;

    let Some(Stop::Unavailable {
        reason,
        retry_after: None,
    }) = &gone.stop
    else {
        panic!("{gone:?}");
    };
    let expected = format!("{address} (127.0.0.1) cannot be reached: Connection refused");
    assert!(reason.as_str().contains(&expected), "{reason}");
    assert_eq!(back, all(1));
    assert_eq!(returned.requests().len(), 1);
    Ok(())
}
