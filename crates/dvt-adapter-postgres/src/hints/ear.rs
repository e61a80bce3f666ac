use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgListener, PgPoolOptions};
use sqlx::{Acquire as _, Connection as _};
use tokio::runtime::Handle;
use tokio::time::timeout;

/// The connection is gone, or silent.
#[derive(Debug)]
pub(super) struct Lost;

/// One connection that listens.
pub(super) struct Ear {
    /// Taken at the end.
    listener: Option<PgListener>,
    runtime: Handle,
}

impl Ear {
    /// Connects and listens, within that time.
    pub(super) async fn open(
        options: PgConnectOptions,
        channel: &str,
        within: Duration,
    ) -> Result<Self, Lost> {
        let opened = timeout(within, Self::connect(options, channel)).await;
        opened.map_err(|_| Lost)?.map_err(|_| Lost)
    }

    async fn connect(options: PgConnectOptions, channel: &str) -> sqlx::Result<Self> {
        // sqlx listens over a connection of a pool only. This one never has another.
        let pool = PgPoolOptions::new()
            .max_connections(1)
            .idle_timeout(None)
            .max_lifetime(None)
            .connect_lazy_with(options);
        let mut listener = PgListener::connect_with(&pool).await?;
        // Connecting anew is not left to the listener: it does so after some errors only, and without a deadline.
        listener.eager_reconnect(false);
        let mut ear = Self {
            listener: Some(listener),
            runtime: Handle::current(),
        };
        if let Some(listener) = &mut ear.listener {
            listener.listen(channel).await?;
        }
        Ok(ear)
    }

    /// Whether a hint comes within that time.
    pub(super) async fn hear(&mut self, within: Duration) -> Result<bool, Lost> {
        let listener = self.listener.as_mut().ok_or(Lost)?;
        match timeout(within, listener.try_recv()).await {
            Ok(Ok(Some(_))) => Ok(true),
            Ok(Ok(None) | Err(_)) => Err(Lost),
            Err(_) => Ok(false),
        }
    }

    /// Asks the server whether it is there. Hints that come before its answer are kept.
    pub(super) async fn ping(&mut self, within: Duration) -> Result<(), Lost> {
        let listener = self.listener.as_mut().ok_or(Lost)?;
        let answered = timeout(within, async { listener.acquire().await?.ping().await }).await;
        answered.map_err(|_| Lost)?.map_err(|_| Lost)
    }
}

impl Drop for Ear {
    fn drop(&mut self) {
        // The listener says goodbye in a task, and panics where there is no runtime.
        let _inside = self.runtime.enter();
        self.listener = None;
    }
}
