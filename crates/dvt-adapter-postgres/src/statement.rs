use std::future::Future;

use sqlx::PgConnection;

/// One SQL statement with its parameters: one request to the server, one reply.
pub(crate) trait Statement: Sync {
    /// Whether it can leave something behind, so that an answer that got lost makes its outcome unknown.
    const WRITES: bool;
    type Reply: Send;

    fn execute(
        &self,
        connection: &mut PgConnection,
    ) -> impl Future<Output = sqlx::Result<Self::Reply>> + Send;
}
