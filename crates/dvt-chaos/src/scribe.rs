//! The process that writes the history, and is the sink of all relays.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use dvt_chaos::proxy::Dice;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{UnixListener, UnixStream};

use crate::BoxError;
use crate::clock;
use crate::fingerprint;
use crate::history::{Arrival, Entry, Record};
use crate::pen;

/// The history's file in the campaign's folder.
pub(crate) fn history_file(folder: &Path) -> PathBuf {
    folder.join("evidence").join("history.jsonl")
}

/// What a relay asks of the sink, in one line: to store these events.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Offer {
    pub(crate) by: String,
    pub(crate) arrival: Arrival,
}

/// What the sink says to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Taken {
    pub(crate) stored: usize,
    pub(crate) stop: Option<SinkStop>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum SinkStop {
    Rejected,
    Unavailable,
    /// It stored more than it says.
    Unknown,
}

#[derive(Debug)]
struct Scribe {
    seed: u64,
    file: Mutex<BufWriter<File>>,
    is_down: AtomicBool,
    /// How often an event was offered that was not simply taken.
    tries: Mutex<HashMap<(String, u64), u64>>,
}

/// Serves until the control connection says `finish`.
pub(crate) async fn serve(folder: &Path, seed: u64) -> Result<(), BoxError> {
    let listener = UnixListener::bind(pen::socket(folder))?;
    let scribe = Arc::new(Scribe {
        seed,
        file: Mutex::new(BufWriter::with_capacity(
            1 << 20,
            File::create(history_file(folder))?,
        )),
        is_down: AtomicBool::new(false),
        tries: Mutex::default(),
    });
    println!("ready");
    loop {
        let (stream, _) = listener.accept().await?;
        let (read, mut write) = stream.into_split();
        let mut lines = BufReader::with_capacity(1 << 16, read).lines();
        match lines.next_line().await?.as_deref() {
            Some("history") => drop(tokio::spawn(copy(Arc::clone(&scribe), lines))),
            Some("finish") => {
                // What others still had to say is in their sockets: their tasks get it before the file is closed.
                tokio::time::sleep(Duration::from_millis(500)).await;
                scribe.file().flush()?;
                write.write_all(b"done\n").await?;
                return Ok(());
            }
            Some("down") => {
                scribe.is_down.store(true, Ordering::Relaxed);
                write.write_all(b"done\n").await?;
            }
            Some("up") => {
                scribe.is_down.store(false, Ordering::Relaxed);
                write.write_all(b"done\n").await?;
            }
            Some(offer) => {
                let offer: Offer = serde_json::from_str(offer)?;
                drop(tokio::spawn(Arc::clone(&scribe).take(offer, write)));
            }
            None => {}
        }
    }
}

/// Tells a scribe something in one word, and waits until it has done it.
pub(crate) async fn tell(folder: &Path, word: &str) -> io::Result<()> {
    let (read, mut write) = UnixStream::connect(pen::socket(folder)).await?.into_split();
    write.write_all(format!("{word}\n").as_bytes()).await?;
    match BufReader::new(read).lines().next_line().await? {
        Some(_) => Ok(()),
        None => Err(io::Error::other("the scribe went away")),
    }
}

/// Offers events to the sink.
pub(crate) async fn offer(folder: &Path, offer: &Offer) -> io::Result<Taken> {
    let (read, mut write) = UnixStream::connect(pen::socket(folder)).await?.into_split();
    let mut line = serde_json::to_vec(offer)?;
    line.push(b'\n');
    write.write_all(&line).await?;
    match BufReader::new(read).lines().next_line().await? {
        Some(line) => Ok(serde_json::from_str(&line)?),
        None => Err(io::Error::other("the sink went away")),
    }
}

async fn copy(scribe: Arc<Scribe>, mut lines: Lines<BufReader<OwnedReadHalf>>) -> io::Result<()> {
    // The last line of a process that was killed may be half of one; then it began nothing.
    while let Some(line) = lines.next_line().await? {
        if line.ends_with(']') && serde_json::from_str::<serde::de::IgnoredAny>(&line).is_ok() {
            let mut file = scribe.file();
            file.write_all(line.as_bytes())?;
            file.write_all(b"\n")?;
        }
    }
    Ok(())
}

impl Scribe {
    fn file(&self) -> MutexGuard<'_, BufWriter<File>> {
        self.file.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Answers an offer after it wrote down what it took of it.
    async fn take(
        self: Arc<Self>,
        offer: Offer,
        mut write: OwnedWriteHalf,
    ) -> Result<(), BoxError> {
        let Offer { by, mut arrival } = offer;
        let mut dice = Dice::of(
            self.seed,
            &[fingerprint::key(&arrival.run), arrival.claim_no],
        );
        match dice.roll(1_000) {
            0 => tokio::time::sleep(Duration::from_millis(2_500)).await,
            1..=10 => tokio::time::sleep(Duration::from_millis(50 + dice.roll(300))).await,
            _ => {}
        }
        let whole = arrival.events.len();
        let (taken, keeps) = self.judge(&arrival, &mut dice);
        let rejected = (taken.stop == Some(SinkStop::Rejected))
            .then(|| arrival.events.get(keeps).map(|event| event.0));
        arrival.events.truncate(keeps.min(whole));
        let mut record = Vec::new();
        if !arrival.events.is_empty() {
            record.push(Record::Arrival(arrival.clone()));
        }
        if let Some(Some(seq)) = rejected {
            record.push(Record::Rejected(arrival.run.clone(), seq));
        }
        for record in record {
            let mut file = self.file();
            serde_json::to_writer(&mut *file, &Entry(clock::now(), by.clone(), record))?;
            file.write_all(b"\n")?;
            file.flush()?;
        }
        let mut line = serde_json::to_vec(&taken)?;
        line.push(b'\n');
        write.write_all(&line).await?;
        Ok(())
    }

    /// What it says, and how many events it keeps.
    fn judge(&self, arrival: &Arrival, dice: &mut Dice) -> (Taken, usize) {
        let whole = arrival.events.len();
        let stopped = |stored, stop| Taken {
            stored,
            stop: Some(stop),
        };
        if self.is_down.load(Ordering::Relaxed) {
            return (stopped(0, SinkStop::Unavailable), 0);
        }
        let refused = arrival
            .events
            .iter()
            .position(|(seq, key, _)| self.refuses(&arrival.run, *seq, key));
        if let Some(at) = refused {
            return (stopped(at, SinkStop::Rejected), at);
        }
        let at = usize::try_from(dice.roll(whole as u64)).unwrap_or(0);
        match dice.roll(400) {
            0 => (stopped(0, SinkStop::Unknown), at + 1),
            1 => (stopped(at, SinkStop::Unavailable), at),
            _ => (
                Taken {
                    stored: whole,
                    stop: None,
                },
                whole,
            ),
        }
    }

    /// Some events are refused once, some more often than the relay tries, and all are taken in the end.
    fn refuses(&self, run: &str, seq: u64, key: &str) -> bool {
        let refusals = match Dice::of(self.seed, &[fingerprint::key(run), fingerprint::key(key)])
            .roll(4_000)
        {
            0 => 6,
            1..=8 => 1,
            _ => return false,
        };
        let mut tries = self.tries.lock().unwrap_or_else(PoisonError::into_inner);
        let tries = tries.entry((run.to_owned(), seq)).or_default();
        *tries += 1;
        *tries <= refusals
    }
}
