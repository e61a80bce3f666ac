//! Who the server has to be.

use dvt_sink_rabbitmq::{
    RabbitMqConnectError, RabbitMqSettings, RabbitMqSettingsError, RabbitMqSink,
};
use lapin::ExchangeKind;

use crate::broker::{Broker, userinfo};
use crate::certificates::Authority;
use crate::proxy::Proxy;
use crate::stage::{LONG, all, publish, until_stored};
use crate::trial::{Outcome, trials};

trials![
    a_server_of_an_authority_that_is_known_gets_events_before_and_after_a_cut,
    whoever_cannot_prove_it_gets_nothing,
    what_is_no_certificate_is_refused,
];

fn settings(proxy: &Proxy, broker: &Broker) -> RabbitMqSettings {
    let (userinfo, port) = (userinfo(), proxy.address.port());
    let exchange = &broker.exchange;
    let url = format!("amqps://{userinfo}@localhost:{port}/{exchange}");
    let settings = RabbitMqSettings::from_url(&url).unwrap();
    settings.with_connect_timeout(LONG).unwrap()
}

async fn a_server_of_an_authority_that_is_known_gets_events_before_and_after_a_cut() -> Outcome {
    let mut broker = Broker::new(ExchangeKind::Topic).await;
    let queue = broker.queue("#").await;
    let authority = Authority::new("ours");
    let proxy = Proxy::secured(authority.vouches_for("localhost")).await;
    let settings = settings(&proxy, &broker).with_root_certificate(authority.pem.as_bytes())?;

    let sink = RabbitMqSink::connect(settings).await?;

    assert_eq!(publish(&sink, 3).await, all(3));
    proxy.cut();
    proxy.wait(|seen| seen.ended == 1).await;
    until_stored(&sink, 1).await;
    assert!(broker.all(&queue).await.len() >= 4);
    Ok(())
}

async fn whoever_cannot_prove_it_gets_nothing() -> Outcome {
    let broker = Broker::new(ExchangeKind::Topic).await;
    let (ours, theirs) = (Authority::new("ours"), Authority::new("theirs"));
    for certificate in [
        theirs.vouches_for("localhost"),
        ours.vouches_for("another.example"),
    ] {
        let proxy = Proxy::secured(certificate).await;
        let settings = settings(&proxy, &broker).with_root_certificate(ours.pem.as_bytes())?;

        let error = RabbitMqSink::connect(settings).await.unwrap_err();

        let server = format!("localhost:{}", proxy.address.port());
        assert!(
            matches!(&error, RabbitMqConnectError::Tls { server: found, .. } if *found == server),
            "{error:?}"
        );
    }
    Ok(())
}

async fn what_is_no_certificate_is_refused() -> Outcome {
    let broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    for text in ["", "certificate", broken] {
        let settings = RabbitMqSettings::from_url("amqps://ann@rabbit.example/x")?;

        let error = settings.with_root_certificate(text.as_bytes()).unwrap_err();

        assert!(
            matches!(error, RabbitMqSettingsError::Certificate { .. }),
            "{error:?}"
        );
    }
    Ok(())
}
