use sqlx::PgConnection;

use super::fault::SchemaFault;
use super::ledger::Ledger;
use crate::schema_name::SchemaName;

/// Whether the schema is there and is the one that this binary was made for. Reads only.
///
/// The outer error: the database did not answer.
pub(crate) async fn check(
    conn: &mut PgConnection,
    schema: &SchemaName,
) -> Result<Result<(), SchemaFault>, sqlx::Error> {
    Ok(match Ledger::read(conn, schema).await? {
        Ok(ledger) => verdict(&ledger, schema),
        Err(fault) => Err(fault),
    })
}

fn verdict(ledger: &Ledger, schema: &SchemaName) -> Result<(), SchemaFault> {
    let schema = schema.to_string();
    if !ledger.schema_exists() {
        return Err(SchemaFault::Missing { schema });
    }
    let pending = ledger.pending()?;
    if pending.is_empty() {
        return Ok(());
    }
    let pending = pending.iter().map(ToString::to_string).collect();
    Err(SchemaFault::Behind { schema, pending })
}
