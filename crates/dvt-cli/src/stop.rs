use std::io;

use tokio::sync::watch;

#[cfg(unix)]
use tokio::signal::unix::{Signal, SignalKind, signal};

/// What a shell reports of a process that ctrl-c ended.
const INTERRUPTED: i32 = 130;

/// Somebody asked this process to end, or will.
#[derive(Debug, Clone)]
pub(crate) struct Stop(watch::Receiver<bool>);

impl Stop {
    /// Nobody asks.
    #[cfg(test)]
    pub(crate) fn never() -> Self {
        let (asked, waiting) = watch::channel(false);
        std::mem::forget(asked);
        Self(waiting)
    }

    /// Completes when it has been asked for.
    pub(crate) async fn asked(&mut self) {
        // Without the task that listens nobody can ask, and nothing should wait.
        let _ = self.0.wait_for(|asked| *asked).await;
    }
}

/// The signals that ask this process to end: ctrl-c, and SIGTERM where there is one.
#[derive(Debug)]
pub(crate) struct StopSignals {
    #[cfg(unix)]
    terminate: Signal,
    #[cfg(unix)]
    interrupt: Signal,
}

impl StopSignals {
    /// Begins to listen: from now on they end nothing by themselves.
    pub(crate) fn listen() -> io::Result<Self> {
        Ok(Self {
            #[cfg(unix)]
            terminate: signal(SignalKind::terminate())?,
            #[cfg(unix)]
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    /// Completes at the first one. The next one ends the process at once.
    pub(crate) async fn asked(mut self) {
        self.next().await;
        tokio::spawn(async move {
            self.next().await;
            std::process::exit(INTERRUPTED);
        });
    }

    /// The same for several that wait for it.
    pub(crate) fn shared(self) -> Stop {
        let (asked, waiting) = watch::channel(false);
        tokio::spawn(async move {
            self.asked().await;
            // Nobody may wait any more.
            let _ = asked.send(true);
        });
        Stop(waiting)
    }

    #[cfg(unix)]
    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }

    #[cfg(not(unix))]
    async fn next(&mut self) {
        if tokio::signal::ctrl_c().await.is_err() {
            // Nothing can be heard: nobody asks.
            std::future::pending().await
        }
    }
}
