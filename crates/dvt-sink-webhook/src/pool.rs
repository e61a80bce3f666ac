use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::connection::Connection;

/// As many runs as a relay publishes at once by default.
const MAX_IDLE: usize = 64;
/// Receivers and what is between keep idle connections for about a minute, some for less.
const MAX_IDLE_TIME: Duration = Duration::from_secs(30);

/// Connections that wait for the next request.
#[derive(Debug, Default)]
pub(crate) struct Pool(Mutex<Vec<(Connection, Instant)>>);

impl Pool {
    /// The connection that was used last, of those that the receiver has not closed.
    pub(crate) fn take(&self) -> Option<Connection> {
        self.with(|idle| idle.pop().map(|(connection, _)| connection))
    }

    pub(crate) fn put(&self, connection: Connection) {
        self.with(|idle| {
            if idle.len() < MAX_IDLE {
                idle.push((connection, Instant::now()));
            }
        });
    }

    fn with<T>(&self, act: impl FnOnce(&mut Vec<(Connection, Instant)>) -> T) -> T {
        let mut idle = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        idle.retain(|(connection, since)| connection.is_ready() && since.elapsed() < MAX_IDLE_TIME);
        act(&mut idle)
    }
}
