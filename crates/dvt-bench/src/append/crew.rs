use sqlx::PgConnection;
use tokio::task::JoinSet;

use crate::BoxError;
use crate::ground::Ground;

/// Connections that are held, and share the work.
#[derive(Debug)]
pub(super) struct Crew {
    connections: Vec<PgConnection>,
}

/// What one of them does in a round.
#[derive(Debug)]
pub(super) struct Share {
    pub(super) connection: PgConnection,
    /// A run of its own.
    pub(super) run: String,
    /// How many events.
    pub(super) count: u64,
}

impl Crew {
    pub(super) async fn connect(ground: &Ground, count: usize) -> Result<Self, BoxError> {
        let mut connections = Vec::new();
        for _ in 0..count {
            connections.push(ground.connect().await?);
        }
        Ok(Self { connections })
    }

    /// Does the work at once, each connection its share.
    pub(super) async fn work<F>(
        &mut self,
        round: usize,
        count: u64,
        work: fn(Share) -> F,
    ) -> Result<(), BoxError>
    where
        F: Future<Output = Result<PgConnection, BoxError>> + Send + 'static,
    {
        let shares = self.connections.len() as u64;
        let mut workers = JoinSet::new();
        for (number, connection) in self.connections.drain(..).enumerate() {
            let run = format!("round-{round}-connection-{number}");
            let more = u64::from((number as u64) < count % shares);
            workers.spawn(work(Share {
                connection,
                run,
                count: count / shares + more,
            }));
        }
        while let Some(ended) = workers.join_next().await {
            self.connections.push(ended??);
        }
        Ok(())
    }
}
