//! A proxy whose connections can fall silent or break.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use url::Url;

use crate::server::url;
use crate::stage::named;

/// How a connection is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Wire {
    Open,
    /// What the server says does not arrive.
    Mute,
    /// Nothing arrives.
    Dead,
    /// Ended without a goodbye: the client's next word or wait is answered by a reset.
    Reset,
}

/// Forwards bytes to the server and back, as long as the wire lets it.
async fn forward(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    mut wire: watch::Receiver<Wire>,
    passes: fn(Wire) -> bool,
) {
    let mut bytes = vec![0; 64 * 1024];
    loop {
        let read = from.read(&mut bytes).await;
        if wire.wait_for(|wire| passes(*wire)).await.is_err() {
            return;
        }
        match read {
            Ok(count) if count > 0 && to.write_all(&bytes[..count]).await.is_ok() => {}
            _ => {
                let _ = to.shutdown().await;
                return;
            }
        }
    }
}

/// One connection, until both ends are done or it is reset.
async fn connect(mut near: TcpStream, mut far: TcpStream, wire: watch::Receiver<Wire>) {
    let (there, back, mut end) = (wire.clone(), wire.clone(), wire);
    {
        let (near_read, near_write) = near.split();
        let (far_read, far_write) = far.split();
        let both = async {
            tokio::join!(
                forward(near_read, far_write, there, |wire| wire != Wire::Dead),
                forward(far_read, near_write, back, |wire| wire == Wire::Open),
            )
        };
        tokio::select! {
            _ = both => return,
            reset = end.wait_for(|wire| *wire == Wire::Reset) => if reset.is_err() { return },
        }
    }
    near.set_zero_linger().unwrap();
}

/// The near end of connections to the server of `DATABASE_URL`.
pub(crate) struct Line {
    pub(crate) url: String,
    wire: Arc<Mutex<watch::Sender<Wire>>>,
    /// Those of connections from before.
    earlier: Vec<watch::Sender<Wire>>,
    connections: Arc<AtomicUsize>,
}

impl Line {
    pub(crate) async fn open(name: &str) -> Self {
        let mut url: Url = url().parse().unwrap();
        let server = (
            url.host_str().unwrap_or("127.0.0.1").to_owned(),
            url.port().unwrap_or(5432),
        );
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        url.set_host(Some("127.0.0.1")).unwrap();
        url.set_port(Some(port)).unwrap();
        named(&mut url, name);
        let wire = Arc::new(Mutex::new(watch::Sender::new(Wire::Open)));
        let current = Arc::clone(&wire);
        let connections = Arc::<AtomicUsize>::default();
        let count = Arc::clone(&connections);
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::SeqCst);
                let far = TcpStream::connect(server.clone()).await.unwrap();
                let wire = current.lock().unwrap().subscribe();
                tokio::spawn(connect(near, far, wire));
            }
        });
        Self {
            url: url.to_string(),
            wire,
            earlier: Vec::new(),
            connections,
        }
    }

    /// How many there were.
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    /// For all connections, those that are there and those to come.
    pub(crate) fn becomes(&self, wire: Wire) {
        self.wire.lock().unwrap().send_replace(wire);
    }

    /// For those to come. Those that are there stay as they are.
    pub(crate) fn is_for_others(&mut self, wire: Wire) {
        let others = watch::Sender::new(wire);
        self.earlier
            .push(std::mem::replace(&mut *self.wire.lock().unwrap(), others));
    }

    /// For those that were there before the last change for others.
    pub(crate) fn was_for_earlier(&self, wire: Wire) {
        self.earlier.last().unwrap().send_replace(wire);
    }
}
