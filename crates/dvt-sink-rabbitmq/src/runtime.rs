use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use async_rs::Tokio;
use async_rs::traits::Reactor;
use async_rs::util::RuntimeParts;
use futures_core::Stream;
use futures_io::{AsyncRead, AsyncWrite};

use crate::wire::Wire;

/// The runtime that the client library works on: the current one, with [`Wire`]s.
pub(crate) type WireRuntime = async_rs::Runtime<RuntimeParts<Tokio, Wires>>;

/// Timers are tokio's; connections are made by [`dial`](crate::dial) and only handed over.
#[derive(Debug, Clone)]
pub(crate) struct Wires(Tokio);

/// Of the runtime that this is called in.
pub(crate) fn current() -> WireRuntime {
    let tokio = Tokio::current();
    async_rs::Runtime::new(RuntimeParts::new(tokio.clone(), Wires(tokio)))
}

impl Reactor for Wires {
    type TcpStream = Wire;
    type Sleep = <Tokio as Reactor>::Sleep;

    fn register<H: Read + Write + Send + 'static>(
        &self,
        _socket: H,
    ) -> io::Result<impl AsyncRead + AsyncWrite + Send + Unpin + 'static> {
        Err::<Wire, _>(io::ErrorKind::Unsupported.into())
    }

    fn sleep(&self, duration: Duration) -> Self::Sleep {
        self.0.sleep(duration)
    }

    fn interval(&self, duration: Duration) -> impl Stream<Item = Instant> + Send + 'static {
        self.0.interval(duration)
    }

    fn tcp_connect_addr(
        &self,
        _address: SocketAddr,
    ) -> impl Future<Output = io::Result<Wire>> + Send + 'static {
        std::future::ready(Err(io::ErrorKind::Unsupported.into()))
    }
}
