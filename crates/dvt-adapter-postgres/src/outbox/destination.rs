use dvt_contracts::{Destination, OperatorNote, OutboxError};
use sqlx::PgConnection;

use crate::database::Database;
use crate::event_columns::text;
use crate::fault::Fault;
use crate::statement::Statement;

/// `queries/bind_destination.sql`
struct Bind<'a>(&'a Destination);

impl Statement for Bind<'_> {
    const WRITES: bool = true;
    type Reply = String;

    async fn execute(&self, connection: &mut PgConnection) -> sqlx::Result<Self::Reply> {
        sqlx::query_file_scalar!("queries/bind_destination.sql", self.0.as_str())
            .fetch_one(connection)
            .await
    }
}

pub(super) async fn bind(
    database: &Database,
    destination: &Destination,
) -> Result<(), OutboxError> {
    let failed = |fault: Fault| fault.outbox("bind_destination");
    let bound = database.ask(&database.call(), &Bind(destination)).await;
    let bound: Destination = text("destination", &bound.map_err(failed)?).map_err(failed)?;
    if bound == *destination {
        return Ok(());
    }
    Err(OutboxError::DestinationMismatch {
        bound,
        requested: destination.clone(),
    })
}

/// `queries/retarget.sql`
struct Replace<'a> {
    from: &'a Destination,
    to: &'a Destination,
    note: &'a OperatorNote,
    clock_shift: i64,
}

impl Statement for Replace<'_> {
    const WRITES: bool = true;
    type Reply = Option<String>;

    async fn execute(&self, connection: &mut PgConnection) -> sqlx::Result<Self::Reply> {
        sqlx::query_file_scalar!(
            "queries/retarget.sql",
            self.from.as_str(),
            self.to.as_str(),
            self.note.by.as_str(),
            self.note.reason.as_str(),
            self.clock_shift,
        )
        .fetch_optional(connection)
        .await
    }
}

pub(super) async fn retarget(
    database: &Database,
    from: &Destination,
    to: &Destination,
    note: &OperatorNote,
) -> Result<(), OutboxError> {
    let failed = |fault: Fault| fault.outbox("retarget");
    let statement = Replace {
        from,
        to,
        note,
        clock_shift: database.clock_shift(),
    };
    let bound = database.ask(&database.call(), &statement).await;
    let Some(bound) = bound.map_err(failed)? else {
        return Err(OutboxError::NoDestination {
            requested: from.clone(),
        });
    };
    let bound: Destination = text("destination", &bound).map_err(failed)?;
    if bound == *from || bound == *to {
        return Ok(());
    }
    Err(OutboxError::DestinationMismatch {
        bound,
        requested: from.clone(),
    })
}
