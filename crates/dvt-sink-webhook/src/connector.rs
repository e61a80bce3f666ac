use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};
use tokio_rustls::TlsConnector;
use url::Host;

use crate::address::not_public;
use crate::connect_error::WebhookConnectError;
use crate::connection::Connection;
use crate::network::Network;

/// Opens connections to the receiver, and to nobody else: the addresses that are checked are those that are dialled, and
/// no proxy is asked.
#[derive(Debug)]
pub(crate) struct Connector {
    pub(crate) host: Host,
    pub(crate) port: u16,
    /// Without it, in the clear.
    pub(crate) tls: Option<Arc<ClientConfig>>,
    pub(crate) private_addresses: bool,
    pub(crate) network: Arc<dyn Network>,
}

impl Connector {
    /// A connection, ready for a request, before its time is over.
    pub(crate) async fn connect(&self, until: Instant) -> Result<Connection, WebhookConnectError> {
        let within = until.saturating_duration_since(Instant::now());
        let connected = timeout(within, async {
            let stream = self.dial(until).await?;
            // An event goes out when it is written, not when a packet is full.
            let _ = stream.set_nodelay(true);
            self.secure(stream).await
        });
        connected.await.unwrap_or_else(|_| {
            Err(WebhookConnectError::Deadline {
                host: self.host.to_string(),
                within,
            })
        })
    }

    async fn dial(&self, until: Instant) -> Result<TcpStream, WebhookConnectError> {
        let addresses = self.permitted().await?;
        let mut last = None;
        for (tried, address) in addresses.iter().enumerate() {
            // An address that swallows everything leaves time for the others.
            let left = until.saturating_duration_since(Instant::now());
            let share = left / u32::try_from(addresses.len() - tried).unwrap_or(1);
            match timeout(share, self.network.dial(*address)).await {
                Ok(Ok(stream)) => return Ok(stream),
                Ok(Err(error)) => last = Some((*address, error)),
                Err(elapsed) => last = Some((*address, elapsed.into())),
            }
        }
        let host = self.host.to_string();
        Err(match last {
            Some((address, source)) => WebhookConnectError::Unreachable {
                host,
                address,
                source,
            },
            None => WebhookConnectError::NoAddress { host },
        })
    }

    /// The addresses of the host that may be connected to.
    async fn permitted(&self) -> Result<Vec<SocketAddr>, WebhookConnectError> {
        let host = || self.host.to_string();
        let addresses = match &self.host {
            Host::Ipv4(address) => vec![IpAddr::V4(*address)],
            Host::Ipv6(address) => vec![IpAddr::V6(*address)],
            Host::Domain(name) => {
                let found = self.network.resolve(name).await;
                found.map_err(|source| WebhookConnectError::Resolve {
                    host: host(),
                    source,
                })?
            }
        };
        let mut refused = None;
        let mut permitted = Vec::new();
        for address in addresses {
            match not_public(address) {
                Some(kind) if !(self.private_addresses && kind.can_be_allowed()) => {
                    refused = refused.or(Some((address, kind)));
                }
                _ => permitted.push(SocketAddr::new(address, self.port)),
            }
        }
        match refused {
            Some((address, kind)) if permitted.is_empty() => {
                Err(WebhookConnectError::AddressRefused {
                    host: host(),
                    address,
                    kind,
                })
            }
            _ => Ok(permitted),
        }
    }

    async fn secure(&self, stream: TcpStream) -> Result<Connection, WebhookConnectError> {
        let failed = |source| WebhookConnectError::Tls {
            host: self.host.to_string(),
            source,
        };
        let connection = match &self.tls {
            None => Connection::over(stream).await,
            Some(config) => {
                let name = self
                    .server_name()
                    .map_err(|error| failed(std::io::Error::other(error)))?;
                let connector = TlsConnector::from(Arc::clone(config));
                let secured = connector.connect(name, stream).await.map_err(failed)?;
                Connection::over(secured).await
            }
        };
        connection.map_err(|error| failed(std::io::Error::other(error)))
    }

    /// Whom the certificate must name.
    fn server_name(&self) -> Result<ServerName<'static>, rustls::pki_types::InvalidDnsNameError> {
        match &self.host {
            Host::Ipv4(address) => Ok(ServerName::from(IpAddr::V4(*address))),
            Host::Ipv6(address) => Ok(ServerName::from(IpAddr::V6(*address))),
            // A name with the root's dot is the same name.
            Host::Domain(name) => ServerName::try_from(name.trim_end_matches('.').to_owned()),
        }
    }
}
