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

#[cfg(test)]
mod tests {
    use super::super::ledger::{good, told};
    use super::super::migration::Migration;
    use super::*;

    #[test]
    fn only_the_schema_of_this_binary_is_good() {
        let verdict = |schema_exists, rows: &[_]| {
            let verdict = verdict(&told(schema_exists, rows), &SchemaName::default());
            verdict.map_err(|fault| fault.to_string())
        };
        let all: Vec<_> = (1..=Migration::embedded().len()).map(good).collect();
        assert_eq!(verdict(true, &all), Ok(()));

        let missing = verdict(false, &[]).unwrap_err();
        assert!(
            missing
                .starts_with("there is no schema dvt in this database: create it with dvt migrate"),
            "{missing}"
        );
        let behind = verdict(true, &all[..all.len() - 1]).unwrap_err();
        let last = Migration::embedded()[all.len() - 1];
        assert_eq!(
            behind,
            format!("schema dvt is older than this binary, it lacks {last}: run dvt migrate")
        );
        let empty = verdict(true, &[]).unwrap_err();
        assert!(
            empty.contains("it lacks 0001 create run metadata, 0002"),
            "{empty}"
        );
        let ahead = verdict(true, &[&all[..], &[(9_999, b"", true)]].concat()).unwrap_err();
        assert!(
            ahead.contains("newer than this binary, which does not know 9999"),
            "{ahead}"
        );
    }
}
