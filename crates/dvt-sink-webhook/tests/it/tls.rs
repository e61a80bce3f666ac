//! Who the receiver has to be.

use dvt_contracts::Stop;
use dvt_sink_webhook::{WebhookConnectError, WebhookSettings, WebhookSettingsError, WebhookSink};
use rustls::ServerConfig;

use crate::certificates::{Authority, self_signed};
use crate::network::ToldNetwork;
use crate::receiver::{Receiver, Reply};
use crate::stage::{LONG, all, publish};
use crate::trial::{Outcome, trials};

trials![
    a_receiver_of_an_authority_that_is_known_gets_events,
    an_address_can_be_vouched_for_too,
    whoever_cannot_prove_it_gets_nothing,
    a_receiver_that_changes_its_certificate_is_unavailable,
    a_receiver_without_tls_gets_nothing,
    what_is_no_certificate_is_refused,
];

fn settings(receiver: &Receiver, host: &str) -> WebhookSettings {
    let url = format!("https://{host}:{}/hook", receiver.address.port());
    let network = ToldNetwork::new(&["8.8.8.8", "8.8.8.8"], receiver.address);
    WebhookSettings::from_url(&url)
        .unwrap()
        .with_deadline(LONG)
        .unwrap()
        .with_network(network)
}

async fn a_receiver_of_an_authority_that_is_known_gets_events() -> Outcome {
    let authority = Authority::new("ours");
    let receiver = Receiver::secured(authority.vouches_for("hooks.example")).await;
    let settings =
        settings(&receiver, "Hooks.Example").with_root_certificate(authority.pem.as_bytes())?;

    let sink = WebhookSink::connect(settings).await?;

    assert_eq!(publish(&sink, 3).await, all(3));
    let port = receiver.address.port();
    assert_eq!(
        receiver.requests()[2].headers["host"],
        format!("hooks.example:{port}")
    );
    assert_eq!(receiver.connections(), 1);
    Ok(())
}

async fn an_address_can_be_vouched_for_too() -> Outcome {
    let authority = Authority::new("ours");
    let receiver = Receiver::secured(authority.vouches_for("127.0.0.1")).await;
    let settings = settings(&receiver, "127.0.0.1")
        .with_private_addresses(true)
        .with_root_certificate(authority.pem.as_bytes())?;

    let sink = WebhookSink::connect(settings).await?;

    assert_eq!(publish(&sink, 1).await, all(1));
    Ok(())
}

async fn refused(config: ServerConfig, authority: &Authority) -> String {
    let receiver = Receiver::secured(config).await;
    let settings = settings(&receiver, "hooks.example")
        .with_root_certificate(authority.pem.as_bytes())
        .unwrap();
    match WebhookSink::connect(settings).await {
        Err(error @ WebhookConnectError::Tls { .. }) => {
            assert_eq!(receiver.requests().len(), 0);
            error.to_string()
        }
        other => panic!("{other:?}"),
    }
}

async fn whoever_cannot_prove_it_gets_nothing() -> Outcome {
    let (ours, theirs) = (Authority::new("ours"), Authority::new("theirs"));
    let rows = [
        (ours.vouches_for("other.example"), "not valid for name"),
        (ours.vouched_for("hooks.example"), "certificate expired"),
        (theirs.vouches_for("hooks.example"), "UnknownIssuer"),
        (self_signed("hooks.example"), "UnknownIssuer"),
    ];
    for (config, expected) in rows {
        let told = refused(config, &ours).await;
        assert!(told.starts_with("no TLS with hooks.example: "), "{told}");
        assert!(told.contains(expected), "{told}");
    }
    Ok(())
}

async fn a_receiver_that_changes_its_certificate_is_unavailable() -> Outcome {
    let authority = Authority::new("ours");
    let honest = authority.vouches_for("hooks.example");
    let any = ([127, 0, 0, 1], 0).into();
    let receiver = Receiver::secured_at(any, honest, Reply::ok_and_close()).await;
    let settings =
        settings(&receiver, "hooks.example").with_root_certificate(authority.pem.as_bytes())?;
    let sink = WebhookSink::connect(settings).await?;
    assert_eq!(publish(&sink, 1).await, all(1));
    let address = receiver.address;
    receiver.stop().await;
    let other = Receiver::secured_at(address, self_signed("hooks.example"), Reply::ok()).await;

    let published = publish(&sink, 2).await;

    let Some(Stop::Unavailable { reason, .. }) = &published.stop else {
        panic!("{published:?}");
    };
    assert!(
        reason.as_str().starts_with("no TLS with hooks.example: "),
        "{reason}"
    );
    assert_eq!((published.stored, other.requests().len()), (0, 0));
    Ok(())
}

async fn a_receiver_without_tls_gets_nothing() -> Outcome {
    let receiver = Receiver::willing().await;
    let settings = settings(&receiver, "hooks.example").with_deadline(crate::stage::SHORT)?;

    // It waits for the end of a line, which never comes.
    let refused = WebhookSink::connect(settings).await.unwrap_err();

    assert!(
        matches!(
            refused,
            WebhookConnectError::Deadline { .. } | WebhookConnectError::Tls { .. }
        ),
        "{refused:?}"
    );
    assert_eq!(receiver.requests().len(), 0);
    Ok(())
}

async fn what_is_no_certificate_is_refused() -> Outcome {
    let settings = WebhookSettings::from_url("https://hooks.example/")?;
    let not_base64 = "-----BEGIN CERTIFICATE-----\n*\n-----END CERTIFICATE-----\n";
    let not_x509 = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    for pem in ["", "no PEM", not_base64, not_x509] {
        let refused = settings.clone().with_root_certificate(pem.as_bytes());
        assert!(
            matches!(refused, Err(WebhookSettingsError::Certificate { .. })),
            "{pem:?}"
        );
    }
    Ok(())
}
