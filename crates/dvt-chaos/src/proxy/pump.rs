use std::io;
use std::time::Duration;

use tokio::io::{
    AsyncBufReadExt as _, AsyncRead, AsyncWrite, AsyncWriteExt as _, BufReader, BufWriter,
};
use tokio::sync::watch;

use super::fault::{Direction, Fault, Message, Place, Spot};
use super::link::{Link, State};

/// So much is read at once; more waits with whoever sends it.
const CHUNK: usize = 16 * 1024;

/// So often in a second a throttled connection passes something on.
const SIPS: u32 = 50;

/// What a message of the client begins with that has no type: its length, and a code.
const UNTYPED: usize = 8;
/// SSLRequest and GSSENCRequest
const ENCRYPTION: [u32; 2] = [80_877_103, 80_877_104];

/// Passes on what comes one way, message by message.
#[derive(Debug)]
pub(super) struct Pump<'a, R, W> {
    direction: Direction,
    from: BufReader<R>,
    to: BufWriter<W>,
    link: &'a Link,
    state: watch::Receiver<State>,
    /// The fault that was last looked at.
    fault: Option<Fault>,
    version: u64,
    /// Whether something has arrived that was not delayed.
    fresh: bool,
    /// How many messages it met that it counts.
    met: u64,
    /// How many bytes may pass before it cuts.
    left: Option<u64>,
}

impl<'a, R: AsyncRead + Unpin, W: AsyncWrite + Unpin> Pump<'a, R, W> {
    pub(super) fn new(direction: Direction, from: R, to: W, link: &'a Link) -> Self {
        Self {
            direction,
            from: BufReader::with_capacity(CHUNK, from),
            to: BufWriter::with_capacity(CHUNK, to),
            link,
            state: link.state(),
            fault: None,
            version: 0,
            fresh: false,
            met: 0,
            left: None,
        }
    }

    /// Until the sender is done, or either side is gone.
    pub(super) async fn run(mut self) {
        // Whichever side is broken: the other one hears that there is no more.
        let _ = self.messages().await;
        let _ = self.to.shutdown().await;
    }

    async fn messages(&mut self) -> io::Result<()> {
        let mut typed = self.direction == Direction::ToClient;
        let mut head = Vec::new();
        loop {
            head.clear();
            if !self.take(&mut head, 1).await? {
                return Ok(());
            }
            if self.link.requests().encrypted() {
                return self.rest(&head).await;
            }
            if self.direction == Direction::ToClient
                && self.link.requests().answers_about_encryption(head[0])
            {
                self.pass(&head).await?;
                continue;
            }
            let header = if typed { 5 } else { UNTYPED };
            if !self.take(&mut head, header).await? {
                return self.pass(&head).await;
            }
            let length_at = usize::from(typed);
            let length = u64::from(number(&head[length_at..]));
            let mut body = (length + length_at as u64).saturating_sub(header as u64);
            if typed {
                if self.direction == Direction::ToServer {
                    self.link.client_says(head[0]);
                }
                body -= self.meet(&mut head, body).await?;
            } else if ENCRYPTION.contains(&number(&head[4..])) {
                self.link.requests().asks_for_encryption();
            } else {
                typed = true;
            }
            self.pass(&head).await?;
            if self.direction == Direction::ToClient {
                self.link.server_says(head[0]);
            }
            self.body(body).await?;
        }
    }

    /// Everything that comes.
    async fn rest(&mut self, first: &[u8]) -> io::Result<()> {
        self.pass(first).await?;
        self.body(u64::MAX).await
    }

    /// Looks whether a message is the one where the connection is to be cut. How much of its body was taken for that.
    async fn meet(&mut self, head: &mut Vec<u8>, body: u64) -> io::Result<u64> {
        self.load();
        let Some(Fault::Cut {
            spot:
                Spot::Message {
                    message,
                    nth,
                    place,
                },
            ..
        }) = self.fault
        else {
            return Ok(0);
        };
        if (message.direction, message.tag) != (self.direction, head[0]) {
            return Ok(0);
        }
        let header = head.len();
        let length = header as u64 + body;
        let begins = begin(&message);
        let looked_at = body.min(begins.len() as u64);
        self.take(head, header + looked_at as usize).await?;
        let left = match place {
            Place::Before => Some(0),
            Place::Within(count) => Some(u64::from(count)).filter(|count| *count < length),
            Place::After => Some(length),
        };
        if head[header..] == *begins && left.is_some() {
            self.met += 1;
            if self.met == nth {
                self.left = left;
            }
        }
        Ok(looked_at)
    }

    /// Passes so many bytes on, in chunks.
    async fn body(&mut self, mut count: u64) -> io::Result<()> {
        let mut chunk = Vec::new();
        while count > 0 && self.fill().await? {
            let ready = self.from.buffer();
            let length = usize::try_from(count).map_or(ready.len(), |count| count.min(ready.len()));
            chunk.clear();
            chunk.extend_from_slice(&ready[..length]);
            self.from.consume(length);
            self.pass(&chunk).await?;
            count -= length as u64;
        }
        Ok(())
    }

    /// Passes bytes on, as the fault of the moment lets it.
    async fn pass(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut rest = bytes;
        while !rest.is_empty() {
            self.wait_for_leave().await?;
            if self.left == Some(0) {
                self.cut().await?;
                continue;
            }
            let (most, pause) = self.slowed().await;
            let left = self.left.and_then(|left| usize::try_from(left).ok());
            let count = rest.len().min(most).min(left.unwrap_or(usize::MAX));
            self.to.write_all(&rest[..count]).await?;
            self.link.passed(self.direction, count);
            rest = &rest[count..];
            if most < usize::MAX {
                self.to.flush().await?;
                tokio::time::sleep(pause * count as u32).await;
            }
            if let Some(left) = &mut self.left {
                *left -= count as u64;
                if *left == 0 {
                    self.cut().await?;
                }
            }
        }
        Ok(())
    }

    /// How many bytes may be written in one piece, and how long each of them takes.
    async fn slowed(&mut self) -> (usize, Duration) {
        let fresh = std::mem::take(&mut self.fresh);
        match self.fault {
            Some(Fault::Delay(delay)) if fresh && self.link.touch() => {
                tokio::time::sleep(delay).await;
                (usize::MAX, Duration::ZERO)
            }
            Some(Fault::Throttle { bytes_per_second }) if self.link.touch() => {
                let rate = bytes_per_second.max(1);
                let sip = (rate / SIPS).max(1);
                (sip as usize, Duration::from_secs(1) / rate)
            }
            Some(Fault::Split) if self.link.touch() => (1, Duration::ZERO),
            _ => (usize::MAX, Duration::ZERO),
        }
    }

    /// Waits as long as nothing may pass.
    async fn wait_for_leave(&mut self) -> io::Result<()> {
        loop {
            self.load();
            let (held, cut) = {
                let state = self.state.borrow();
                (state.holds(self.direction), state.end.is_some())
            };
            if !held || !cut && !self.link.touch() {
                return Ok(());
            }
            self.to.flush().await?;
            self.state.changed().await.map_err(io::Error::other)?;
        }
    }

    /// Takes notice of another fault.
    fn load(&mut self) {
        let state = self.state.borrow_and_update();
        if state.version == self.version {
            return;
        }
        self.version = state.version;
        self.fault = state.fault;
        self.met = 0;
        self.left = match state.fault {
            Some(Fault::Cut {
                spot: Spot::Bytes { direction, count },
                ..
            }) if direction == self.direction => Some(count),
            _ => None,
        };
    }

    /// Whatever may pass has passed.
    async fn cut(&mut self) -> io::Result<()> {
        self.to.flush().await?;
        self.left = None;
        self.link.cut(self.version);
        Ok(())
    }

    /// Moves bytes from what comes to the end of `head` until it is so long. `false` if there are not so many.
    async fn take(&mut self, head: &mut Vec<u8>, length: usize) -> io::Result<bool> {
        while head.len() < length {
            if !self.fill().await? {
                return Ok(false);
            }
            let ready = self.from.buffer();
            let count = ready.len().min(length - head.len());
            head.extend_from_slice(&ready[..count]);
            self.from.consume(count);
        }
        Ok(true)
    }

    /// Waits until there is something to pass on. `false` at the end.
    async fn fill(&mut self) -> io::Result<bool> {
        if self.from.buffer().is_empty() {
            self.to.flush().await?;
            self.fresh = true;
            return Ok(!self.from.fill_buf().await?.is_empty());
        }
        Ok(true)
    }
}

/// The number in the first four bytes.
fn number(bytes: &[u8]) -> u32 {
    let four = bytes.first_chunk().copied();
    u32::from_be_bytes(four.unwrap_or_default())
}

/// What the body of such a message begins with.
fn begin(message: &Message) -> &[u8] {
    let begins = message.begins.as_bytes();
    &begins[..begins.len().min(64)]
}
