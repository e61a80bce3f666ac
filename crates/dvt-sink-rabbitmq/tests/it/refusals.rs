//! Who is not let in, and what is not there.

use std::time::Instant;

use dvt_sink_rabbitmq::{RabbitMqConnectError, RabbitMqSettings, RabbitMqSink};
use lapin::ExchangeKind;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use crate::broker::{Broker, address};
use crate::stage::{LONG, SHORT, at, settings};
use crate::trial::{Outcome, trials};

trials![
    a_missing_exchange_is_told_with_the_command_that_makes_it,
    a_wrong_password_is_told,
    a_user_without_a_password_is_told_before_anything_is_sent,
    a_missing_vhost_is_told_with_the_commands_that_make_it,
    a_port_where_nobody_listens_is_told,
    a_name_that_nobody_knows_is_told,
    a_silent_server_is_given_up_and_let_go,
    a_server_of_another_kind_is_told,
    a_server_without_tls_gets_no_password,
];

async fn refusal(settings: RabbitMqSettings) -> RabbitMqConnectError {
    let connected = tokio::time::timeout(LONG, RabbitMqSink::connect(settings)).await;
    connected.unwrap().unwrap_err()
}

async fn a_missing_exchange_is_told_with_the_command_that_makes_it() -> Outcome {
    let error = refusal(at(&address(), "dvt-test-nowhere")).await;

    assert!(matches!(error, RabbitMqConnectError::NoExchange { .. }));
    assert_eq!(
        error.to_string(),
        "there is no exchange dvt-test-nowhere in the vhost /: \
         rabbitmqadmin -V '/' declare exchange name='dvt-test-nowhere' type=topic durable=true"
    );
    Ok(())
}

async fn a_wrong_password_is_told() -> Outcome {
    let broker = Broker::new(ExchangeKind::Topic).await;

    let error = refusal(settings(&broker).with_password("sesame-0815")).await;

    assert!(
        matches!(&error, RabbitMqConnectError::Credentials { server, .. } if *server == address()),
        "{error:?}"
    );
    assert!(
        !format!("{error} {error:?}").contains("sesame"),
        "{error:?}"
    );
    Ok(())
}

async fn a_user_without_a_password_is_told_before_anything_is_sent() -> Outcome {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("amqp://ann@{}/x", listener.local_addr()?);

    let error = refusal(RabbitMqSettings::from_url(&url)?).await;

    assert!(matches!(&error, RabbitMqConnectError::NoPassword { user } if user == "ann"));
    let nobody = tokio::time::timeout(SHORT, listener.accept()).await;
    assert!(nobody.is_err());
    Ok(())
}

async fn a_missing_vhost_is_told_with_the_commands_that_make_it() -> Outcome {
    let error = refusal(at(&address(), "no%20vhost/x")).await;

    assert!(
        matches!(&error, RabbitMqConnectError::Vhost { vhost, .. } if vhost == "no vhost"),
        "{error:?}"
    );
    assert!(
        error
            .to_string()
            .contains("rabbitmqctl add_vhost 'no vhost'")
    );
    Ok(())
}

async fn a_port_where_nobody_listens_is_told() -> Outcome {
    let address = TcpListener::bind("127.0.0.1:0").await?.local_addr()?;

    let error = refusal(at(&address.to_string(), "x")).await;

    assert!(
        matches!(&error, RabbitMqConnectError::Unreachable { server, .. } if *server == address.to_string()),
        "{error:?}"
    );
    Ok(())
}

async fn a_name_that_nobody_knows_is_told() -> Outcome {
    let error = refusal(at("rabbit.invalid", "x")).await;

    assert!(
        matches!(&error, RabbitMqConnectError::Unreachable { server, .. } if server == "rabbit.invalid:5672"),
        "{error:?}"
    );
    Ok(())
}

async fn a_silent_server_is_given_up_and_let_go() -> Outcome {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?.to_string();
    let begun = Instant::now();

    let attempt = tokio::spawn(refusal(at(&address, "x").with_connect_timeout(SHORT)?));
    let (mut stream, _) = listener.accept().await?;
    let error = attempt.await?;

    assert!(begun.elapsed() >= SHORT);
    assert!(
        matches!(&error, RabbitMqConnectError::Timeout { after, .. } if *after == SHORT),
        "{error:?}"
    );
    // Neither a connection nor a thread waits for this server any more.
    let mut sent = Vec::new();
    let ended = tokio::time::timeout(LONG, stream.read_to_end(&mut sent)).await?;
    assert_eq!(sent, b"AMQP\x00\x00\x09\x01", "{ended:?}");
    Ok(())
}

async fn a_server_of_another_kind_is_told() -> Outcome {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?.to_string();

    let attempt = tokio::spawn(refusal(at(&address, "x")));
    let (mut stream, _) = listener.accept().await?;
    stream
        .write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        .await?;
    let error = attempt.await?;

    assert!(
        matches!(error, RabbitMqConnectError::Lost { .. }),
        "{error:?}"
    );
    Ok(())
}

async fn a_server_without_tls_gets_no_password() -> Outcome {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("amqps://ann:sesame@{}/x", listener.local_addr()?);

    let attempt = tokio::spawn(refusal(RabbitMqSettings::from_url(&url)?));
    let (mut stream, _) = listener.accept().await?;
    stream.write_all(b"AMQP\x00\x00\x09\x01").await?;
    let mut sent = Vec::new();
    let _ = tokio::time::timeout(LONG, stream.read_to_end(&mut sent)).await?;
    let error = attempt.await?;

    assert!(
        matches!(error, RabbitMqConnectError::Tls { .. }),
        "{error:?}"
    );
    assert!(!sent.windows(6).any(|bytes| bytes == b"sesame"));
    Ok(())
}
