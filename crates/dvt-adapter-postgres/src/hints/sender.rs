use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use sqlx::PgConnection;
use tokio::runtime::Handle;
use tokio::time::sleep;

use crate::database::Database;
use crate::statement::Statement;

/// No hint begins sooner after another one has ended.
const GAP: Duration = Duration::from_millis(5);
/// The same after one that failed: whatever is in its way has its time, and the pool's sessions are for other work.
const AFTER_FAILURE: Duration = Duration::from_secs(1);

/// Nothing is to be told.
const QUIET: u8 = 0;
/// A task tells it.
const TELLING: u8 = 1;
/// Something happened after the task had begun to tell: it tells once more.
const AGAIN: u8 = 2;

/// Sends hints: one at a time, by a task that lives only as long as there is something to tell.
#[derive(Debug)]
pub(crate) struct HintSender {
    database: Database,
    channel: String,
    state: AtomicU8,
}

/// `queries/hint.sql`
struct Hint<'a> {
    channel: &'a str,
}

impl Statement for Hint<'_> {
    const WRITES: bool = false;
    type Reply = ();

    async fn execute(&self, connection: &mut PgConnection) -> sqlx::Result<()> {
        sqlx::query_file!("queries/hint.sql", self.channel)
            .fetch_one(connection)
            .await
            .map(|_| ())
    }
}

impl HintSender {
    pub(crate) fn new(database: Database) -> Arc<Self> {
        let channel = database.settings().schema().channel();
        Arc::new(Self {
            database,
            channel,
            state: AtomicU8::new(QUIET),
        })
    }

    /// A hint will be sent that begins after this call, unless this process ends first. Waits for nothing.
    pub(crate) fn hint(self: &Arc<Self>) {
        let more = |state: u8| Some((state + 1).min(AGAIN));
        let before = self
            .state
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, more);
        if before != Ok(QUIET) {
            return;
        }
        let telling = Telling {
            sender: Arc::clone(self),
            done: false,
        };
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(telling.tell());
        }
    }
}

/// The right to tell. Lost before the end, with its runtime for instance, it goes back to whoever hints next.
struct Telling {
    sender: Arc<HintSender>,
    done: bool,
}

impl Telling {
    async fn tell(mut self) {
        let database = &self.sender.database;
        let hint = Hint {
            channel: &self.sender.channel,
        };
        while !self.done {
            let told = database.ask(&database.call(), &hint).await;
            // What came meanwhile is told together, after the gap.
            sleep(if told.is_ok() { GAP } else { AFTER_FAILURE }).await;
            self.done = self.sender.state.fetch_sub(1, Ordering::AcqRel) == TELLING;
        }
    }
}

impl Drop for Telling {
    fn drop(&mut self) {
        if !self.done {
            self.sender.state.store(QUIET, Ordering::Release);
        }
    }
}
