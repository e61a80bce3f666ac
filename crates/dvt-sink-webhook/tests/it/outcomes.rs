//! CASES I 84: the table of outcomes.

use std::time::{Duration, SystemTime};

use dvt_contracts::{Published, Stop};

use crate::receiver::{Receiver, Reply};
use crate::stage::{all, publish, rejected, settings, sink, unavailable};
use crate::trial::{Outcome, trials};
use dvt_sink_webhook::WebhookSink;

trials![
    each_status_has_its_outcome,
    a_pause_that_is_asked_for_is_told,
    a_date_to_come_back_is_a_pause,
    a_stop_in_the_middle_tells_how_far_it_came,
    one_refused_event_is_offered_alone_again_and_again,
    too_large_an_event_is_rejected_before_anything_is_sent,
];

async fn answer(reply: Reply) -> Published {
    let receiver = Receiver::start(move |_, _| reply.clone()).await;
    let published = publish(&sink(&receiver).await, 1).await;
    assert_eq!(receiver.requests().len(), 1);
    published
}

async fn each_status_has_its_outcome() -> Outcome {
    for status in [200, 201, 202, 204, 206, 226, 299] {
        // Neither has a body.
        let length = if status == 204 { "" } else { "ignored" };
        assert_eq!(
            answer(Reply::status(status, "", length)).await,
            all(1),
            "{status}"
        );
    }
    for (status, name) in [
        (300, " Multiple Choices"),
        (301, " Moved Permanently"),
        (302, " Found"),
        (303, " See Other"),
        (307, " Temporary Redirect"),
        (308, " Permanent Redirect"),
    ] {
        let reply = Reply::status(status, "location: http://127.0.0.1:9/\r\n", "");
        let reason = format!(
            "the receiver says {status}{name}, and redirects are not followed: use the URL that it points to"
        );
        assert_eq!(answer(reply).await, rejected(0, &reason));
    }
    for (status, name) in [
        (400, "Bad Request"),
        (401, "Unauthorized"),
        (403, "Forbidden"),
        (404, "Not Found"),
        (409, "Conflict"),
        (410, "Gone"),
        (422, "Unprocessable Entity"),
        (431, "Request Header Fields Too Large"),
        (499, "<unknown status code>"),
    ] {
        let reply = Reply::status(status, "retry-after: 7\r\n", "no\0such\r\n  thing");
        let reason = format!("the receiver says {status} {name}: no such thing");
        assert_eq!(answer(reply).await, rejected(0, &reason));
    }
    for (status, name) in [
        (408, "Request Timeout"),
        (425, "Too Early"),
        (429, "Too Many Requests"),
        (500, "Internal Server Error"),
        (501, "Not Implemented"),
        (502, "Bad Gateway"),
        (503, "Service Unavailable"),
        (504, "Gateway Timeout"),
        (505, "HTTP Version Not Supported"),
        (599, "<unknown status code>"),
        (999, "<unknown status code>"),
    ] {
        let reply = Reply::status(status, "", "later");
        let reason = format!("the receiver says {status} {name}: later");
        assert_eq!(answer(reply).await, unavailable(0, &reason, None));
    }
    Ok(())
}

async fn a_pause_that_is_asked_for_is_told() -> Outcome {
    let rows = [
        ("120", Some(120)),
        ("0", Some(0)),
        ("86400", Some(3_600)),
        ("340282366920938463463374607431768211456", Some(3_600)),
        ("Fri, 31 Dec 9999 23:59:59 GMT", Some(3_600)),
        ("Sun, 06 Nov 1994 08:49:37 GMT", Some(0)),
        ("-5", None),
        ("in a while", None),
        ("\u{fc}", None),
    ];
    for (value, seconds) in rows {
        for (status, name) in [(429, "Too Many Requests"), (503, "Service Unavailable")] {
            let reply = Reply::status(status, &format!("Retry-After: {value}\r\n"), "");
            let reason = format!("the receiver says {status} {name}");
            assert_eq!(
                answer(reply).await,
                unavailable(0, &reason, seconds),
                "{value}"
            );
        }
    }
    Ok(())
}

async fn a_date_to_come_back_is_a_pause() -> Outcome {
    let date = httpdate::fmt_http_date(SystemTime::now() + Duration::from_secs(600));

    let published = answer(Reply::status(503, &format!("retry-after: {date}\r\n"), "")).await;

    let Some(Stop::Unavailable {
        retry_after: Some(pause),
        ..
    }) = published.stop
    else {
        panic!("{published:?}");
    };
    assert!(pause.as_secs() > 540 && pause.as_secs() <= 600, "{pause:?}");
    Ok(())
}

async fn a_stop_in_the_middle_tells_how_far_it_came() -> Outcome {
    let receiver = Receiver::start(|nth, _| match nth {
        4 => Reply::status(503, "", ""),
        _ => Reply::ok(),
    })
    .await;
    let sink = sink(&receiver).await;

    let first = publish(&sink, 6).await;
    let again = publish(&sink, 6).await;

    assert_eq!(
        first,
        unavailable(3, "the receiver says 503 Service Unavailable", None)
    );
    assert_eq!(again, all(6));
    let sequences: Vec<_> = receiver
        .requests()
        .iter()
        .map(|request| crate::requests::received(request).run_seq)
        .collect();
    assert_eq!(sequences, [1, 2, 3, 4, 1, 2, 3, 4, 5, 6]);
    Ok(())
}

async fn one_refused_event_is_offered_alone_again_and_again() -> Outcome {
    let receiver = Receiver::start(
        |_, request| match crate::requests::received(request).run_seq {
            2 => Reply::status(404, "", ""),
            _ => Reply::ok(),
        },
    )
    .await;
    let sink = sink(&receiver).await;

    for _ in 0..3 {
        let published = publish(&sink, 3).await;
        assert_eq!(published, rejected(1, "the receiver says 404 Not Found"));
    }

    assert_eq!(receiver.requests().len(), 6);
    Ok(())
}

async fn too_large_an_event_is_rejected_before_anything_is_sent() -> Outcome {
    let receiver = Receiver::start(|_, _| Reply::status(413, "", "")).await;
    let settings = settings(&receiver);
    let unlimited = WebhookSink::connect(settings.clone()).await?;
    let limited = WebhookSink::connect(settings.with_max_body(300)).await?;

    let here = publish(&limited, 1).await;
    let sent_before = receiver.requests().len();
    let there = publish(&unlimited, 1).await;

    let size = receiver.requests()[0].body.len();
    assert_eq!(sent_before, 0);
    assert_eq!(
        here,
        rejected(
            0,
            &format!("the request would have a body of {size} bytes: at most 300 are allowed")
        )
    );
    assert_eq!(
        there,
        rejected(
            0,
            &format!("the receiver says 413 Payload Too Large to a body of {size} bytes")
        )
    );
    Ok(())
}
