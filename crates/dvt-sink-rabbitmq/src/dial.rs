use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use lapin::options::ExchangeDeclareOptions;
use lapin::types::FieldTable;
use lapin::uri::{AMQPAuthority, AMQPQueryString, AMQPScheme, AMQPUri, AMQPUserInfo};
use lapin::{AsyncTcpStream, Connection, ConnectionProperties, ErrorKind, ExchangeKind};
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use crate::auth::Plain;
use crate::connect_error::RabbitMqConnectError;
use crate::link::Link;
use crate::runtime;
use crate::settings::{RabbitMqSettings, Target};
use crate::wire::{Stream, Wire};

const NOT_FOUND: u16 = 404;
const ACCESS_REFUSED: u16 = 403;
const NOT_ALLOWED: u16 = 530;

/// Seconds. A server that is gone without a word is missed after twice this time.
const HEARTBEAT: u16 = 10;

/// Makes a connection, within the time of the settings.
pub(crate) async fn dial(
    settings: &RabbitMqSettings,
    tls: Option<&TlsConnector>,
) -> Result<Link, RabbitMqConnectError> {
    let after = settings.connect_timeout;
    let late = |_| RabbitMqConnectError::Timeout {
        server: settings.target.server(),
        after,
    };
    timeout(after, open(&settings.target, tls))
        .await
        .map_err(late)?
}

async fn open(target: &Target, tls: Option<&TlsConnector>) -> Result<Link, RabbitMqConnectError> {
    let Some(password) = target.password.clone() else {
        let user = target.user.clone();
        return Err(RabbitMqConnectError::NoPassword { user });
    };
    let (wire, knife, watch) = Wire::new(reach(target, tls).await?);
    let user = target.user.clone();
    let properties = ConnectionProperties::default()
        .with_connection_name("dvt".into())
        .with_auth_provider(Plain { user, password });
    // Handed over once: reconnecting is not the client library's business.
    let wire = Mutex::new(Some(wire));
    let hand_over = async move |_, _| {
        let wire = wire.lock().unwrap_or_else(PoisonError::into_inner).take();
        let gone = || lapin::Error::from(io::Error::from(io::ErrorKind::NotConnected));
        wire.map(AsyncTcpStream::Plain).ok_or_else(gone)
    };
    let connection = Connection::connector(uri(target), runtime::current(), hand_over, properties)
        .await
        .map_err(|error| refused(target, &error))?;
    Ok(Link::new(connection, knife, watch))
}

async fn reach(
    target: &Target,
    tls: Option<&TlsConnector>,
) -> Result<Stream, RabbitMqConnectError> {
    let unreachable = |source| RabbitMqConnectError::Unreachable {
        server: target.server(),
        source,
    };
    let stream = TcpStream::connect((target.host.as_str(), target.port))
        .await
        .map_err(unreachable)?;
    stream.set_nodelay(true).map_err(unreachable)?;
    let Some(tls) = tls else {
        return Ok(Stream::Plain(stream));
    };
    let failed = |source| RabbitMqConnectError::Tls {
        server: target.server(),
        source,
    };
    // A name with the root's dot is the same name.
    let name = target.host.trim_end_matches('.').to_owned();
    let name = ServerName::try_from(name)
        .map_err(|error| failed(io::Error::new(io::ErrorKind::InvalidInput, error)))?;
    let stream = tls.connect(name, stream).await.map_err(failed)?;
    Ok(Stream::Tls(Box::new(stream)))
}

/// Only for what the client library looks up in it; the password comes by another way.
fn uri(target: &Target) -> AMQPUri {
    AMQPUri {
        scheme: AMQPScheme::AMQP,
        authority: AMQPAuthority {
            userinfo: AMQPUserInfo {
                username: target.user.clone(),
                password: String::new(),
            },
            host: target.host.clone(),
            port: target.port,
        },
        vhost: target.vhost.clone(),
        query: AMQPQueryString {
            heartbeat: Some(HEARTBEAT),
            ..AMQPQueryString::default()
        },
    }
}

/// Looks whether the exchange is there, without making it.
pub(crate) async fn find_exchange(
    link: &Link,
    settings: &RabbitMqSettings,
) -> Result<(), RabbitMqConnectError> {
    let target = &settings.target;
    let found = async {
        let options = ExchangeDeclareOptions {
            passive: true,
            ..ExchangeDeclareOptions::default()
        };
        let exchange = target.exchange.as_str().into();
        let arguments = FieldTable::default();
        let channel = link.open().await?;
        // The kind does not count, as nothing is made.
        channel
            .exchange_declare(exchange, ExchangeKind::Topic, options, arguments)
            .await
    };
    let after = settings.connect_timeout;
    match timeout(after, found).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) if code(&error) == Some(NOT_FOUND) => {
            Err(RabbitMqConnectError::NoExchange {
                exchange: target.exchange.clone(),
                vhost: target.vhost.clone(),
            })
        }
        Ok(Err(error)) => Err(ended(target, &error)),
        Err(_) => Err(RabbitMqConnectError::Timeout {
            server: target.server(),
            after,
        }),
    }
}

/// Why the server did not let us in.
fn refused(target: &Target, error: &lapin::Error) -> RabbitMqConnectError {
    let (server, user) = (target.server(), target.user.clone());
    match code(error) {
        Some(ACCESS_REFUSED) => RabbitMqConnectError::Credentials { server, user },
        Some(NOT_ALLOWED) => RabbitMqConnectError::Vhost {
            server,
            vhost: target.vhost.clone(),
            user,
        },
        _ => ended(target, error),
    }
}

fn ended(target: &Target, error: &lapin::Error) -> RabbitMqConnectError {
    let server = target.server();
    match error.kind() {
        ErrorKind::ProtocolError(refusal) => RabbitMqConnectError::Refused {
            server,
            code: refusal.get_id(),
            text: refusal.get_message().to_string(),
        },
        _ => RabbitMqConnectError::Lost {
            server,
            reason: error.to_string(),
        },
    }
}

/// The AMQP reply code, if the server sent one.
pub(crate) fn code(error: &lapin::Error) -> Option<u16> {
    match error.kind() {
        ErrorKind::ProtocolError(refusal) => Some(refusal.get_id()),
        _ => None,
    }
}

/// TLS, if the URL asks for it.
pub(crate) fn connector(
    settings: &RabbitMqSettings,
) -> Result<Option<TlsConnector>, RabbitMqConnectError> {
    if !settings.target.tls {
        return Ok(None);
    }
    let config = crate::tls::config(&settings.roots).map_err(RabbitMqConnectError::TlsSetup)?;
    Ok(Some(TlsConnector::from(Arc::clone(&config))))
}
