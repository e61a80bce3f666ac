//! A proxy that counts the messages of PostgreSQL's protocol.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};

/// What went over the wire so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Traffic {
    /// Client to server: the ends of requests.
    pub(crate) syncs: u64,
    /// Client to server: statements to be prepared.
    pub(crate) parses: u64,
    /// Client to server: statements in the simple protocol.
    pub(crate) queries: u64,
    /// Client to server: all messages.
    pub(crate) sent: u64,
    /// Server to client: the ends of replies.
    pub(crate) readies: u64,
}

impl Traffic {
    /// What came after an earlier moment.
    pub(crate) fn since(self, earlier: Self) -> Self {
        Self {
            syncs: self.syncs - earlier.syncs,
            parses: self.parses - earlier.parses,
            queries: self.queries - earlier.queries,
            sent: self.sent - earlier.sent,
            readies: self.readies - earlier.readies,
        }
    }
}

#[derive(Debug, Default)]
struct Counters {
    syncs: AtomicU64,
    parses: AtomicU64,
    queries: AtomicU64,
    sent: AtomicU64,
    readies: AtomicU64,
    connections: AtomicU64,
    /// How many replies are still to be lost.
    to_lose: AtomicU64,
}

impl Counters {
    /// Whether this reply is to be lost.
    fn loses(&self) -> bool {
        let one_less = |left: u64| left.checked_sub(1);
        self.to_lose
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, one_less)
            .is_ok()
    }
}

/// The proxy. It takes connections for as long as the test's runtime lives.
#[derive(Debug)]
pub(crate) struct Wiretap {
    port: u16,
    counters: Arc<Counters>,
}

impl Wiretap {
    /// In front of a server that is spoken to in clear text.
    pub(crate) async fn before(host: &str, port: u16) -> std::io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let own_port = listener.local_addr()?.port();
        let counters = Arc::new(Counters::default());
        let (host, tapped) = (host.to_owned(), Arc::clone(&counters));
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tapped.connections.fetch_add(1, Ordering::SeqCst);
                let Ok(server) = TcpStream::connect((host.as_str(), port)).await else {
                    return;
                };
                let (from_client, to_client) = client.into_split();
                let (from_server, to_server) = server.into_split();
                tokio::spawn(pass(from_client, to_server, true, Arc::clone(&tapped)));
                tokio::spawn(pass(from_server, to_client, false, Arc::clone(&tapped)));
            }
        });
        Ok(Self {
            port: own_port,
            counters,
        })
    }

    /// Where it listens, on 127.0.0.1.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// How many connections it took.
    pub(crate) fn connections(&self) -> u64 {
        self.counters.connections.load(Ordering::SeqCst)
    }

    /// Loses the next replies that have rows or tell of an effect: the client's connection ends instead. If they are small,
    /// the server has committed by then, for it sends nothing before.
    pub(crate) fn lose_replies(&self, count: u64) {
        self.counters.to_lose.store(count, Ordering::SeqCst);
    }

    /// What it has passed on. A message counts before it leaves, so a reply that has arrived is counted.
    pub(crate) fn traffic(&self) -> Traffic {
        let load = |counter: &AtomicU64| counter.load(Ordering::SeqCst);
        Traffic {
            syncs: load(&self.counters.syncs),
            parses: load(&self.counters.parses),
            queries: load(&self.counters.queries),
            sent: load(&self.counters.sent),
            readies: load(&self.counters.readies),
        }
    }
}

/// Passes messages on, whole ones, until a side hangs up.
async fn pass(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    is_client: bool,
    counters: Arc<Counters>,
) {
    // What a client says first has a length and no tag.
    let mut has_tag = !is_client;
    let mut message = Vec::new();
    loop {
        message.clear();
        let tag = if has_tag {
            let Ok(tag) = from.read_u8().await else {
                return;
            };
            message.push(tag);
            Some(tag)
        } else {
            None
        };
        has_tag = true;
        let Ok(length) = from.read_u32().await else {
            return;
        };
        message.extend_from_slice(&length.to_be_bytes());
        let body = u64::from(length.saturating_sub(4));
        if (&mut from)
            .take(body)
            .read_to_end(&mut message)
            .await
            .is_err()
        {
            return;
        }
        if !is_client && matches!(tag, Some(b'D' | b'C')) && counters.loses() {
            return;
        }
        count(tag, is_client, &counters);
        if to.write_all(&message).await.is_err() {
            return;
        }
    }
}

fn count(tag: Option<u8>, is_client: bool, counters: &Counters) {
    let more = |counter: &AtomicU64| counter.fetch_add(1, Ordering::SeqCst);
    if is_client {
        more(&counters.sent);
    }
    match (is_client, tag) {
        (true, Some(b'S')) => more(&counters.syncs),
        (true, Some(b'P')) => more(&counters.parses),
        (true, Some(b'Q')) => more(&counters.queries),
        (false, Some(b'Z')) => more(&counters.readies),
        _ => 0,
    };
}
