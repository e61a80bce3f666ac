use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_io::{AsyncRead, AsyncWrite};
use tokio::io::{AsyncRead as TokioRead, AsyncWrite as TokioWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::{oneshot, watch};
use tokio_rustls::client::TlsStream;

/// The bytes to and from the server, as the client library takes them.
///
/// It ends when its [`Knife`] is dropped. The library reads each connection in a thread of its own, which would wait for ever
/// for a server that says nothing more.
pub(crate) struct Wire {
    stream: Stream,
    knife: Option<oneshot::Receiver<()>>,
    _held: watch::Sender<()>,
}

pub(crate) enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

/// Cuts the wire when it is dropped.
pub(crate) struct Knife {
    _sender: oneshot::Sender<()>,
}

/// Tells when the client library has dropped the wire: nothing comes over this connection any more.
#[derive(Clone)]
pub(crate) struct Watch(watch::Receiver<()>);

impl Watch {
    pub(crate) fn is_gone(&self) -> bool {
        self.0.has_changed().is_err()
    }

    pub(crate) async fn gone(mut self) {
        while self.0.changed().await.is_ok() {}
    }
}

impl Wire {
    pub(crate) fn new(stream: Stream) -> (Self, Knife, Watch) {
        let (_sender, receiver) = oneshot::channel();
        let (_held, watch) = watch::channel(());
        let wire = Self {
            stream,
            knife: Some(receiver),
            _held,
        };
        (wire, Knife { _sender }, Watch(watch))
    }

    fn is_cut(&mut self, context: &mut Context<'_>) -> bool {
        // A receiver must not be polled again after it was ready.
        if let Some(receiver) = &mut self.knife
            && Pin::new(receiver).poll(context).is_ready()
        {
            self.knife = None;
        }
        self.knife.is_none()
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        if self.is_cut(context) {
            return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
        }
        let mut buffer = ReadBuf::new(buffer);
        let read = match &mut self.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_read(context, &mut buffer),
            Stream::Tls(stream) => Pin::new(stream).poll_read(context, &mut buffer),
        };
        read.map_ok(|()| buffer.filled().len())
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match &mut self.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_write(context, bytes),
            Stream::Tls(stream) => Pin::new(stream).poll_write(context, bytes),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_flush(context),
            Stream::Tls(stream) => Pin::new(stream).poll_flush(context),
        }
    }

    fn poll_close(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.is_cut(context) {
            return Poll::Ready(Ok(()));
        }
        match &mut self.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_shutdown(context),
            Stream::Tls(stream) => Pin::new(stream).poll_shutdown(context),
        }
    }
}
