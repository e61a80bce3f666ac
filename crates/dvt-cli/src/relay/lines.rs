use std::fmt;
use std::io::{self, Write as _};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use async_trait::async_trait;
use dvt_contracts::{EventSink, Published, RunEvent, RunKey, SafeText, Stop};
use tokio::sync::{Notify, mpsc, oneshot};

use crate::console::SharedWriter;
use crate::event_line;

/// Writes one event where lines are collected.
type Render = Box<dyn Fn(&mut Vec<u8>, &RunKey, u64, &RunEvent) + Send + Sync>;

/// A sink that writes lines. Events are stored once they are written and flushed.
///
/// A thread of its own writes: a reader that takes its time does not hold up the relay, which must keep its leases. What
/// comes together is flushed together.
pub(crate) struct LineSink {
    jobs: mpsc::UnboundedSender<Job>,
    render: Render,
    closed: Arc<Closed>,
}

/// Lines of one run, and whom to tell that they are out.
struct Job {
    lines: Vec<u8>,
    written: oneshot::Sender<()>,
}

/// That the output takes no more, and why.
#[derive(Debug, Default)]
struct Closed {
    error: Mutex<Option<io::Error>>,
    told: Notify,
}

impl LineSink {
    /// Writes each event as the object that `dvt drain` is known for.
    pub(crate) fn ndjson(out: SharedWriter) -> Result<Self, io::Error> {
        Self::new(out, |lines, run, claim_no, event| {
            // Memory takes everything.
            let _ = event_line::write(lines, run, Some(claim_no), event);
        })
    }

    /// Writes each event as `render` does.
    pub(crate) fn new(
        out: SharedWriter,
        render: impl Fn(&mut Vec<u8>, &RunKey, u64, &RunEvent) + Send + Sync + 'static,
    ) -> Result<Self, io::Error> {
        let (jobs, queue) = mpsc::unbounded_channel();
        let closed = Arc::new(Closed::default());
        let told = Arc::clone(&closed);
        thread::Builder::new()
            .name("dvt-output".to_owned())
            .spawn(move || write_all(out, queue, &told))?;
        Ok(Self {
            jobs,
            render: Box::new(render),
            closed,
        })
    }

    /// Waits until the output takes no more.
    pub(crate) async fn closed(&self) {
        self.closed.told.notified().await;
    }

    /// Why the output takes no more, if it does not.
    pub(crate) fn take_error(&self) -> Option<io::Error> {
        let mut error = self.closed.error.lock();
        error
            .as_mut()
            .unwrap_or_else(|poisoned| poisoned.get_mut())
            .take()
    }
}

#[async_trait]
impl EventSink for LineSink {
    async fn publish(&self, run: &RunKey, claim_no: u64, events: &[RunEvent]) -> Published {
        let mut lines = Vec::with_capacity(512 * events.len());
        for event in events {
            (self.render)(&mut lines, run, claim_no, event);
        }
        let (written, done) = oneshot::channel();
        let sent = self.jobs.send(Job { lines, written });
        if sent.is_ok() && done.await.is_ok() {
            return Published {
                stored: events.len(),
                stop: None,
            };
        }
        Published {
            stored: 0,
            stop: Some(Stop::Unavailable {
                reason: SafeText::new("the output is closed"),
                retry_after: None,
            }),
        }
    }
}

/// So many bytes are written between two flushes, if they are there.
const BATCH: usize = 256 * 1024;

fn write_all(mut out: SharedWriter, mut queue: mpsc::UnboundedReceiver<Job>, closed: &Closed) {
    while let Some(first) = queue.blocking_recv() {
        let mut written = Vec::new();
        let mut bytes = 0;
        let mut next = Some(first);
        let batch = || -> io::Result<()> {
            while let Some(job) = next {
                // Whoever waited too long offers the same again.
                if !job.written.is_closed() {
                    out.write_all(&job.lines)?;
                    bytes += job.lines.len();
                    written.push(job.written);
                }
                next = (bytes < BATCH).then(|| queue.try_recv().ok()).flatten();
            }
            out.flush()
        };
        if let Err(error) = batch() {
            let mut slot = closed.error.lock().unwrap_or_else(PoisonError::into_inner);
            *slot = Some(error);
            closed.told.notify_one();
            // Nobody is answered any more.
            return;
        }
        for job in written {
            let _ = job.send(());
        }
    }
}

impl fmt::Debug for LineSink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LineSink").finish_non_exhaustive()
    }
}
