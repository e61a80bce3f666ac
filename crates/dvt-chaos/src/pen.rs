//! How a process tells the scribe what it does.

use std::io::{self, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::clock;
use crate::history::{Call, Entry, FaultMark, FaultPhase, Record, Reply};
use crate::nemesis::Kind;

/// The socket at which the scribe listens, in the campaign's folder.
pub(crate) fn socket(folder: &Path) -> PathBuf {
    folder.join("scribe.sock")
}

/// Writes to the history, through the scribe. Clones write as lanes of one process.
///
/// When a method returns, the kernel has the entry: it is written down even if this process is killed now. Where there is no scribe
/// any more the campaign is over, and this process ends.
#[derive(Debug, Clone)]
pub(crate) struct Pen {
    process: Arc<Process>,
    actor: String,
}

#[derive(Debug)]
struct Process {
    name: String,
    scribe: Mutex<UnixStream>,
    next: AtomicU64,
}

/// An operation that has begun.
#[derive(Debug)]
pub(crate) struct Begun(u64);

impl Pen {
    /// For the process of this name.
    pub(crate) fn new(folder: &Path, name: &str) -> io::Result<Self> {
        let mut scribe = UnixStream::connect(socket(folder))?;
        scribe.write_all(b"history\n")?;
        Ok(Self {
            process: Arc::new(Process {
                name: name.to_owned(),
                scribe: Mutex::new(scribe),
                next: AtomicU64::new(1),
            }),
            actor: name.to_owned(),
        })
    }

    /// For a lane of it.
    pub(crate) fn lane(&self, lane: &str) -> Self {
        Self {
            process: Arc::clone(&self.process),
            actor: format!("{}.{lane}", self.process.name),
        }
    }

    pub(crate) fn actor(&self) -> &str {
        &self.actor
    }

    /// Writes that an operation is about to begin.
    pub(crate) fn begin(&self, call: Call) -> Begun {
        let number = self.process.next.fetch_add(1, Ordering::Relaxed);
        self.write(Record::Begin(number, call));
        Begun(number)
    }

    /// Writes how it ended.
    pub(crate) fn end(&self, Begun(number): Begun, reply: Reply) {
        self.write(Record::End(number, reply));
    }

    /// Writes what the nemesis does.
    pub(crate) fn fault(&self, number: u64, kind: Kind, phase: FaultPhase) {
        self.write(Record::Fault(FaultMark {
            number,
            kind: kind.name().to_owned(),
            phase,
        }));
    }

    pub(crate) fn write(&self, record: Record) {
        if let Err(error) = self.try_write(record) {
            eprintln!("{}: the scribe is gone: {error}", self.actor);
            std::process::exit(3);
        }
    }

    fn try_write(&self, record: Record) -> io::Result<()> {
        // The lock before the clock: entries of a process are in the order of their times.
        let mut scribe = self
            .process
            .scribe
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let entry = Entry(clock::now(), self.actor.clone(), record);
        let mut line = serde_json::to_vec(&entry)?;
        line.push(b'\n');
        scribe.write_all(&line)
    }
}
