//! Between sink and server: cuts, holds and refuses as it is told.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

use crate::broker;
use crate::frames::ChannelCounter;

pub(crate) struct Proxy {
    pub(crate) address: SocketAddr,
    shared: Arc<Shared>,
    listening: Mutex<Option<JoinHandle<()>>>,
}

struct Shared {
    orders: watch::Sender<Orders>,
    seen: watch::Sender<Seen>,
    channels: Mutex<ChannelCounter>,
    tls: Option<TlsAcceptor>,
}

#[derive(Debug, Default, Clone)]
struct Orders {
    /// How often all connections were cut.
    cuts: u64,
    /// Nothing comes back from the server.
    hold: bool,
    /// Nothing of this is the server's.
    injected: Vec<Vec<u8>>,
}

/// What a proxy has seen so far.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) accepted: usize,
    pub(crate) ended: usize,
}

impl Proxy {
    pub(crate) async fn new() -> Self {
        Self::with(None).await
    }

    /// Speaks TLS with the sink.
    pub(crate) async fn secured(config: rustls::ServerConfig) -> Self {
        Self::with(Some(TlsAcceptor::from(Arc::new(config)))).await
    }

    async fn with(tls: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let proxy = Self {
            address: listener.local_addr().unwrap(),
            shared: Arc::new(Shared {
                orders: watch::Sender::default(),
                seen: watch::Sender::default(),
                channels: Mutex::default(),
                tls,
            }),
            listening: Mutex::default(),
        };
        proxy.listen(listener);
        proxy
    }

    fn listen(&self, listener: TcpListener) {
        let shared = Arc::clone(&self.shared);
        let listening = tokio::spawn(async move {
            loop {
                let (client, _) = listener.accept().await.unwrap();
                shared.seen.send_modify(|seen| seen.accepted += 1);
                let shared = Arc::clone(&shared);
                tokio::spawn(async move {
                    shared.serve(client).await;
                    shared.seen.send_modify(|seen| seen.ended += 1);
                });
            }
        });
        *self.listening.lock().unwrap() = Some(listening);
    }

    /// Ends all connections.
    pub(crate) fn cut(&self) {
        self.shared.orders.send_modify(|orders| orders.cuts += 1);
    }

    /// Whether the server's replies are held back.
    pub(crate) fn hold(&self, hold: bool) {
        self.shared.orders.send_modify(|orders| orders.hold = hold);
    }

    /// Sends this to the sink, between two frames if nothing else is under way.
    pub(crate) fn inject(&self, frame: Vec<u8>) {
        self.shared
            .orders
            .send_modify(|orders| orders.injected.push(frame));
    }

    /// Ends all connections and takes no more.
    pub(crate) async fn go_away(&self) {
        let listening = self.listening.lock().unwrap().take().unwrap();
        listening.abort();
        assert!(listening.await.unwrap_err().is_cancelled());
        self.cut();
    }

    pub(crate) async fn come_back(&self) {
        let listener = TcpListener::bind(self.address).await.unwrap();
        self.listen(listener);
    }

    pub(crate) fn seen(&self) -> Seen {
        *self.shared.seen.borrow()
    }

    /// Waits until it has seen that.
    pub(crate) async fn wait(&self, holds: impl FnMut(&Seen) -> bool) -> Seen {
        let mut seen = self.shared.seen.subscribe();
        let held = tokio::time::timeout(crate::stage::LONG, seen.wait_for(holds));
        *held.await.unwrap().unwrap()
    }

    /// Channels opened and closed.
    pub(crate) fn channels(&self) -> (usize, usize) {
        let channels = self.shared.channels.lock().unwrap();
        (channels.opened, channels.closed)
    }

    /// The number of the channel that was opened last.
    pub(crate) fn newest_channel(&self) -> u16 {
        self.shared.channels.lock().unwrap().newest
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        if let Some(listening) = self.listening.lock().unwrap().take() {
            listening.abort();
        }
        self.cut();
    }
}

impl Shared {
    async fn serve(&self, client: TcpStream) {
        client.set_nodelay(true).unwrap();
        let Some(tls) = &self.tls else {
            return self.forward(client).await;
        };
        // A client that does not trust us goes away.
        if let Ok(client) = tls.accept(client).await {
            self.forward(client).await;
        }
    }

    async fn forward<S: AsyncRead + AsyncWrite + Unpin>(&self, client: S) {
        let server = TcpStream::connect(broker::address()).await.unwrap();
        server.set_nodelay(true).unwrap();
        let mut orders = self.orders.subscribe();
        let (cuts, mut injected) = {
            let orders = orders.borrow_and_update();
            (orders.cuts, orders.injected.len())
        };
        let (mut from_client, mut to_client) = tokio::io::split(client);
        let (mut from_server, mut to_server) = server.into_split();
        let (mut up, mut down) = (vec![0; 65_536], vec![0; 65_536]);
        *self.channels.lock().unwrap() = ChannelCounter::default();
        loop {
            let hold = orders.borrow().hold;
            tokio::select! {
                changed = orders.changed() => {
                    let orders = orders.borrow_and_update().clone();
                    if changed.is_err() || orders.cuts != cuts {
                        return;
                    }
                    for frame in &orders.injected[injected..] {
                        to_client.write_all(frame).await.unwrap();
                    }
                    injected = orders.injected.len();
                }
                read = from_client.read(&mut up) => match read {
                    Ok(1..) => {
                        let bytes = &up[..read.unwrap()];
                        self.channels.lock().unwrap().read(bytes);
                        if to_server.write_all(bytes).await.is_err() {
                            return;
                        }
                    }
                    _ => return,
                },
                read = from_server.read(&mut down), if !hold => match read {
                    Ok(1..) => if to_client.write_all(&down[..read.unwrap()]).await.is_err() {
                        return;
                    },
                    _ => return,
                },
            }
        }
    }
}
