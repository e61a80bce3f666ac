//! An HTTP receiver on a raw socket, so that it can break every rule.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustls::ServerConfig;
use tokio::io::{
    AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, BufReader,
};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// One request, as it came.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) line: String,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: String,
}

/// What the receiver does about a request.
#[derive(Debug, Clone)]
pub(crate) enum Reply {
    /// Says this and waits for the next request.
    Say(Vec<u8>),
    /// Says this and closes.
    SayAndClose(Vec<u8>),
    /// Says this, then the other thing again and again, as fast as it is taken or with a pause, and never ends.
    Drip(Vec<u8>, Vec<u8>, Duration),
}

impl Reply {
    /// An answer with this status, further headers (each with its line end) and body.
    pub(crate) fn status(status: u16, headers: &str, body: &str) -> Self {
        let length = body.len();
        let text =
            format!("HTTP/1.1 {status} As told\r\n{headers}content-length: {length}\r\n\r\n{body}");
        Self::Say(text.into_bytes())
    }

    pub(crate) fn ok() -> Self {
        Self::status(204, "", "")
    }

    /// Takes it and says that the connection ends here: the sink keeps none that may be closed unnoticed.
    pub(crate) fn ok_and_close() -> Self {
        Self::status(200, "connection: close\r\n", "")
    }

    /// Nothing at all, and the connection stays.
    pub(crate) fn silence() -> Self {
        Self::Say(Vec::new())
    }

    /// Nothing at all, and the connection goes.
    pub(crate) fn hang_up() -> Self {
        Self::SayAndClose(Vec::new())
    }
}

type Script = dyn Fn(usize, &Request) -> Reply + Send + Sync;

#[derive(Default)]
struct Seen {
    connections: usize,
    open: usize,
    dripped: usize,
    requests: Vec<Request>,
}

/// Listens until it is dropped.
pub(crate) struct Receiver {
    pub(crate) address: SocketAddr,
    seen: Arc<Mutex<Seen>>,
    server: tokio::task::JoinHandle<()>,
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Receiver {
    /// In the clear. The script is told which request it is, from 1.
    pub(crate) async fn start(
        script: impl Fn(usize, &Request) -> Reply + Send + Sync + 'static,
    ) -> Self {
        Self::start_at(([127, 0, 0, 1], 0).into(), script).await
    }

    /// The same, at this address.
    pub(crate) async fn start_at(
        address: SocketAddr,
        script: impl Fn(usize, &Request) -> Reply + Send + Sync + 'static,
    ) -> Self {
        Self::serve(address, None, Arc::new(script)).await
    }

    /// Goes away, with all its connections.
    pub(crate) async fn stop(mut self) {
        self.server.abort();
        let _ = (&mut self.server).await;
    }

    /// Takes everything.
    pub(crate) async fn willing() -> Self {
        Self::start(|_, _| Reply::ok()).await
    }

    /// Takes everything, over TLS.
    pub(crate) async fn secured(config: ServerConfig) -> Self {
        Self::secured_at(([127, 0, 0, 1], 0).into(), config, Reply::ok()).await
    }

    /// Says the same to everything, over TLS, at this address.
    pub(crate) async fn secured_at(
        address: SocketAddr,
        config: ServerConfig,
        reply: Reply,
    ) -> Self {
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let script = Arc::new(move |_, _: &Request| reply.clone());
        Self::serve(address, Some(acceptor), script).await
    }

    async fn serve(address: SocketAddr, tls: Option<TlsAcceptor>, script: Arc<Script>) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::<Mutex<Seen>>::default();
        let of_server = seen.clone();
        let server = tokio::spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                {
                    let mut seen = of_server.lock().unwrap();
                    seen.connections += 1;
                    seen.open += 1;
                }
                let (tls, script, seen) = (tls.clone(), script.clone(), of_server.clone());
                connections.spawn(async move {
                    match tls {
                        None => converse(stream, &script, &seen).await,
                        Some(tls) => match tls.accept(stream).await {
                            Ok(stream) => converse(stream, &script, &seen).await,
                            Err(_) => None,
                        },
                    };
                    seen.lock().unwrap().open -= 1;
                });
            }
        });
        Self {
            address,
            seen,
            server,
        }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(crate) fn requests(&self) -> Vec<Request> {
        self.seen.lock().unwrap().requests.clone()
    }

    /// How many connections there are now.
    pub(crate) fn open(&self) -> usize {
        self.seen.lock().unwrap().open
    }

    /// How many bytes of answers without end were taken.
    pub(crate) fn dripped(&self) -> usize {
        self.seen.lock().unwrap().dripped
    }

    /// How many connections there were.
    pub(crate) fn connections(&self) -> usize {
        self.seen.lock().unwrap().connections
    }
}

/// Serves one connection until either side has enough.
async fn converse(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    script: &Arc<Script>,
    seen: &Mutex<Seen>,
) -> Option<()> {
    let mut stream = BufReader::new(stream);
    loop {
        let request = read(&mut stream).await?;
        let nth = {
            let mut seen = seen.lock().unwrap();
            seen.requests.push(request.clone());
            seen.requests.len()
        };
        match script(nth, &request) {
            Reply::Say(bytes) => stream.write_all(&bytes).await.ok()?,
            Reply::SayAndClose(bytes) => {
                stream.write_all(&bytes).await.ok()?;
                stream.shutdown().await.ok()?;
                return None;
            }
            Reply::Drip(first, then, pause) => {
                stream.write_all(&first).await.ok()?;
                loop {
                    if !pause.is_zero() {
                        tokio::time::sleep(pause).await;
                    }
                    stream.write_all(&then).await.ok()?;
                    seen.lock().unwrap().dripped += then.len();
                }
            }
        }
        stream.flush().await.ok()?;
    }
}

async fn read(stream: &mut BufReader<impl AsyncRead + Unpin>) -> Option<Request> {
    let mut line = String::new();
    stream.read_line(&mut line).await.ok().filter(|n| *n > 0)?;
    let mut headers = BTreeMap::new();
    loop {
        let mut header = String::new();
        stream
            .read_line(&mut header)
            .await
            .ok()
            .filter(|n| *n > 0)?;
        let Some((name, value)) = header.trim_end().split_once(": ") else {
            break;
        };
        let before = headers.insert(name.to_lowercase(), value.to_owned());
        assert_eq!(before, None, "{name} came twice");
    }
    let length = headers.get("content-length")?.parse().ok()?;
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.ok()?;
    Some(Request {
        line: line.trim_end().to_owned(),
        headers,
        body: String::from_utf8(body).ok()?,
    })
}
