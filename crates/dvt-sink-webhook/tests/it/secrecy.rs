//! Secrets are shown nowhere, not even those that a receiver sends back.

use dvt_sink_webhook::{Secrets, WebhookSettings, WebhookSink};

use crate::receiver::{Receiver, Reply};
use crate::stage::{publish, rejected};
use crate::trial::{Outcome, trials};

trials![
    nothing_shows_a_secret,
    a_secret_that_comes_back_is_not_told,
    an_address_with_a_secret_is_not_shown_when_it_is_refused,
];

const SIGNING: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const SECRETS: [&str; 4] = [
    "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    "hush-token",
    "hush-header",
    "hush-basic",
];

#[track_caller]
fn assert_silent(shown: &str) {
    for secret in SECRETS {
        assert!(!shown.contains(secret), "{shown}");
    }
}

fn settings(url: &str) -> WebhookSettings {
    WebhookSettings::from_url(url)
        .unwrap()
        .with_private_addresses(true)
        .with_plaintext(true)
        .with_secrets(Secrets::parse(SIGNING).unwrap())
        .with_header("x-api-key", "hush-header")
        .unwrap()
        .with_header("authorization", "Basic hush-basic")
        .unwrap()
}

async fn nothing_shows_a_secret() -> Outcome {
    let receiver = Receiver::willing().await;
    let settings = settings(&receiver.url("/hook?token=hush-token"));
    let sink = WebhookSink::connect(settings.clone()).await?;

    assert_silent(&format!("{settings:?} {settings:#?} {sink:?} {sink:#?}"));
    assert_eq!(settings.destination().as_str(), receiver.url("/hook"));
    assert_eq!(sink.destination(), settings.destination());

    let (address, settings) = (
        receiver.address,
        settings.with_deadline(crate::stage::SHORT)?,
    );
    receiver.stop().await;
    let error = WebhookSink::connect(settings).await.unwrap_err();
    assert_silent(&format!("{error:?} {error}"));
    assert!(error.to_string().contains(&address.to_string()));
    assert_silent(&format!("{:?}", publish(&sink, 1).await));
    Ok(())
}

async fn a_secret_that_comes_back_is_not_told() -> Outcome {
    let receiver = Receiver::start(|_, request| {
        let echo = format!("{} {:?}", request.line, request.headers);
        let wanted = ["x-api-key", "authorization"].map(|name| request.headers[name].clone());
        assert!(echo.contains("hush-token"));
        Reply::status(
            400,
            "",
            &format!("bad {}: {}", request.line, wanted.join(" and ")),
        )
    })
    .await;
    let sink = WebhookSink::connect(settings(&receiver.url("/hook?token=hush-token"))).await?;

    let published = publish(&sink, 1).await;

    assert_eq!(
        published,
        rejected(
            0,
            "the receiver says 400 Bad Request: bad POST /hook?[redacted] HTTP/1.1: [redacted] and [redacted]"
        )
    );
    Ok(())
}

async fn an_address_with_a_secret_is_not_shown_when_it_is_refused() -> Outcome {
    let urls = [
        "https://user:hush-token@example.com/",
        "ftp://hooks.example/hush-token",
        "https://hush-token:x/",
        "https://example.com/#hush-token",
        "https://[hush-token]/",
    ];
    for url in urls {
        let refused = WebhookSettings::from_url(url).unwrap_err();
        assert_silent(&format!("{refused:?} {refused}"));
    }
    let refused = settings("https://example.com/")
        .with_header("x", "hush-header\n")
        .unwrap_err();
    assert_silent(&format!("{refused:?} {refused}"));
    Ok(())
}
