use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::AbortHandle;
use tokio::time::{Instant, timeout_at};

/// All headers of an answer together must be smaller.
const MAX_HEAD_BYTES: usize = 64 * 1024;

/// A connection to the receiver. Dropped, whatever is on its way, it is closed at once.
#[derive(Debug)]
pub(crate) struct Connection {
    sender: SendRequest<Full<Bytes>>,
    driver: AbortHandle,
}

impl Connection {
    pub(crate) async fn over<T>(stream: T) -> hyper::Result<Self>
    where
        T: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let (sender, connection) = http1::Builder::new()
            .max_buf_size(MAX_HEAD_BYTES)
            .handshake(TokioIo::new(stream))
            .await?;
        // What goes wrong there is told to whoever waits for an answer.
        let driver = tokio::spawn(async { drop(connection.await) }).abort_handle();
        let mut connection = Self { sender, driver };
        connection.sender.ready().await?;
        Ok(connection)
    }

    /// Whether it takes a request; not if the receiver has closed it.
    pub(crate) fn is_ready(&self) -> bool {
        self.sender.is_ready()
    }

    /// Waits until it takes another request. It may never: some receivers answer and read no further.
    pub(crate) async fn becomes_ready(&mut self, until: Instant) -> bool {
        matches!(timeout_at(until, self.sender.ready()).await, Ok(Ok(())))
    }

    pub(crate) async fn send(
        &mut self,
        request: Request<Full<Bytes>>,
    ) -> hyper::Result<Response<Incoming>> {
        self.sender.send_request(request).await
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.driver.abort();
    }
}
