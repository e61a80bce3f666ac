use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use tokio::net::TcpSocket;
use tokio::task::JoinHandle;
use url::Url;

use super::accept::{Door, accept};
use super::control::Control;

/// A proxy on a free port of 127.0.0.1. It and its connections end with the value.
#[derive(Debug)]
pub struct Proxy {
    addr: SocketAddr,
    control: Control,
    task: JoinHandle<()>,
    /// Keeps the port while nobody listens there.
    _holder: TcpSocket,
}

impl Proxy {
    /// In front of a server, `host:port`. It need not be there yet.
    ///
    /// # Errors
    /// If there is no port to listen on.
    pub async fn start(upstream: impl ToString) -> io::Result<Self> {
        let holder = TcpSocket::new_v4()?;
        holder.set_reuseport(true)?;
        holder.bind((Ipv4Addr::LOCALHOST, 0).into())?;
        let addr = holder.local_addr()?;
        let control = Control::new(upstream.to_string(), Door::new(addr)?);
        Ok(Self {
            addr,
            task: tokio::spawn(accept(control.clone())),
            control,
            _holder: holder,
        })
    }

    /// In front of the server of a URL.
    ///
    /// # Errors
    /// If it is none with a host, and as for [`Proxy::start`].
    pub async fn before(url: &str) -> io::Result<Self> {
        let url = parse(url)?;
        let host = url.host_str().filter(|host| !host.is_empty());
        let host = host.ok_or_else(|| io::Error::other("expected a URL with a host"))?;
        Self::start(format!("{host}:{}", url.port().unwrap_or(5432))).await
    }

    /// Where it listens.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// A URL that leads through the proxy, with everything but host and port from this one.
    ///
    /// # Errors
    /// If it is none with a host.
    pub fn url(&self, url: &str) -> io::Result<String> {
        let mut url = parse(url)?;
        let there = url.set_ip_host(self.addr.ip());
        if there
            .and_then(|()| url.set_port(Some(self.addr.port())))
            .is_err()
        {
            return Err(io::Error::other("expected a URL with a host"));
        }
        Ok(url.into())
    }

    /// What tells it what to do.
    #[must_use]
    pub fn control(&self) -> Control {
        self.control.clone()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn parse(url: &str) -> io::Result<Url> {
    // The text may hold a password.
    Url::parse(url).map_err(|error| io::Error::other(format!("not a URL: {error}")))
}
