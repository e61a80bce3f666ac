use std::marker::PhantomData;

use sqlx::PgConnection;
use tokio::task::JoinSet;

use crate::BoxError;
use crate::ground::Ground;
use crate::rounds::{Scale, median, rate};

/// What a team would write by hand, done by one connection.
pub(super) trait Baseline {
    const NAME: &'static str;

    /// Stores that many events of a run of its own.
    fn work(
        connection: &mut PgConnection,
        run: &str,
        count: u64,
    ) -> impl Future<Output = Result<(), BoxError>> + Send;
}

/// Connections that are held, and share the work of a baseline.
#[derive(Debug)]
pub(super) struct Crew<B> {
    connections: Vec<PgConnection>,
    baseline: PhantomData<B>,
}

impl<B: Baseline> Crew<B> {
    pub(super) async fn connect(ground: &Ground, count: usize) -> Result<Self, BoxError> {
        let mut connections = Vec::new();
        for _ in 0..count {
            connections.push(ground.connect().await?);
        }
        Ok(Self {
            connections,
            baseline: PhantomData,
        })
    }

    /// With the number of connections, out of 1, 8 and 32, with which it is fastest. Leaves what it wrote.
    pub(super) async fn best(ground: &Ground, scale: Scale) -> Result<Self, BoxError> {
        ground.empty().await?;
        let mut best: Option<(f64, Self)> = None;
        for connections in [1, 8, 32] {
            let mut crew = Self::connect(ground, connections).await?;
            let mut rates = Vec::new();
            for round in 0..3 {
                // Runs of its own, as in the rounds that follow.
                let round = 1_000 * connections + round;
                rates.push(rate(scale.events, crew.append(round, scale.events)).await?);
            }
            let rate = median(rates);
            eprintln!(
                "{} with {connections} connections: {rate:.0} events/s",
                B::NAME
            );
            if best.as_ref().is_none_or(|(best, _)| rate > *best) {
                best = Some((rate, crew));
            }
        }
        best.map(|(_, crew)| crew)
            .ok_or_else(|| "no number of connections was tried".into())
    }

    /// Stores that many events, each connection its share, into a run of its own.
    pub(super) async fn append(&mut self, round: usize, count: u64) -> Result<(), BoxError> {
        let shares = self.connections.len() as u64;
        let mut workers = JoinSet::new();
        for (number, mut connection) in self.connections.drain(..).enumerate() {
            let run = format!("round-{round}-connection-{number}");
            let more = u64::from((number as u64) < count % shares);
            let count = count / shares + more;
            workers.spawn(async move {
                B::work(&mut connection, &run, count).await?;
                Ok::<_, BoxError>(connection)
            });
        }
        while let Some(ended) = workers.join_next().await {
            self.connections.push(ended??);
        }
        Ok(())
    }
}
