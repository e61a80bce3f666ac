use std::convert::Infallible;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::ear::{Ear, Lost};
use crate::jitter;
use crate::settings::PostgresSettings;

/// Hints that come so close behind one another are told together.
const GAP: Duration = Duration::from_millis(5);
/// The waits before a new connection lie below this, twice as much, and so on up to the longest.
const SHORTEST_WAIT: Duration = Duration::from_millis(100);
const LONGEST_WAIT: Duration = Duration::from_secs(10);

/// Hears the hints of a store's writers, those of this process and of others.
///
/// What it tells is never needed: hints get lost with a connection, and writers may not send any
/// ([`PostgresSettings::with_hints`]). Whoever waits for events looks for them from time to time whatever this says.
///
/// It has a connection of its own, besides those of the store. A transaction pooler passes no hints on.
#[derive(Debug, Clone)]
pub struct HintListener {
    settings: PostgresSettings,
    patience: Duration,
}

impl HintListener {
    pub(crate) fn new(settings: PostgresSettings) -> Self {
        Self {
            settings,
            patience: Duration::from_secs(5),
        }
    }

    /// After how much silence the server is asked whether it is there, and how long its answer may take: a connection whose
    /// other end has vanished is found out after twice that. 5 s unless told otherwise; at least 10 ms.
    #[must_use]
    pub fn with_patience(self, patience: Duration) -> Self {
        let patience = patience.max(Duration::from_millis(10));
        Self { patience, ..self }
    }

    /// Calls `wake` after every hint, until it is dropped. Needs a Tokio runtime with I/O and time.
    ///
    /// Hints that come within 5 ms of one another are told by one call or two. It is called as well whenever the connection
    /// was made or lost, since hints may have been lost with it. A lost one is made anew, with back-off and full jitter, again
    /// and again: no error ends this.
    pub async fn run(self, mut wake: impl FnMut() + Send) -> Infallible {
        let channel = self.settings.schema().channel();
        let mut ceiling = SHORTEST_WAIT;
        loop {
            let options = self.settings.listening_options();
            if let Ok(mut ear) = Ear::open(options, &channel, self.settings.deadline()).await {
                wake();
                let Lost = self.listen(&mut ear, &mut wake, &mut ceiling).await;
                drop(ear);
                wake();
            }
            sleep(jitter::below(ceiling)).await;
            ceiling = (ceiling * 2).min(LONGEST_WAIT);
        }
    }

    /// Listens for as long as the connection lasts. One that has been of use is replaced soon.
    async fn listen(
        &self,
        ear: &mut Ear,
        wake: &mut (impl FnMut() + Send),
        ceiling: &mut Duration,
    ) -> Lost {
        loop {
            match self.next(ear).await {
                Ok(heard) => {
                    *ceiling = SHORTEST_WAIT;
                    if !heard {
                        continue;
                    }
                }
                Err(lost) => return lost,
            }
            wake();
            match more(ear).await {
                Ok(true) => wake(),
                Ok(false) => {}
                Err(lost) => return lost,
            }
        }
    }

    /// Whether there was a hint; if not, the server has said that it is there.
    async fn next(&self, ear: &mut Ear) -> Result<bool, Lost> {
        let heard = ear.hear(self.patience).await?;
        if !heard {
            ear.ping(self.patience).await?;
        }
        Ok(heard)
    }
}

/// Whether more hints come within the gap.
async fn more(ear: &mut Ear) -> Result<bool, Lost> {
    let end = Instant::now() + GAP;
    let mut heard = false;
    while Instant::now() < end {
        heard |= ear.hear(end - Instant::now()).await?;
    }
    Ok(heard)
}
