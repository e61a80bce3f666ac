//! What is looked at beside the history.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use sqlx::{Executor as _, Row as _};

use super::Crew;
use crate::BoxError;
use crate::cluster::Server;
use crate::history::Health;

/// What is left in the server and in the processes.
pub(super) async fn health(
    server: Option<&Server>,
    crew: &Crew,
    early: &BTreeMap<String, u64>,
) -> Result<Health, BoxError> {
    let late = crew.memory();
    let memory = late.into_iter().map(|(role, late)| {
        let early = early.get(&role).copied().unwrap_or(late);
        (role, (early, late))
    });
    let mut health = Health {
        memory: memory.collect(),
        max_connections: crew.max_connections(),
        ..Health::default()
    };
    if let Some(server) = server {
        let mut admin = server.admin().await?;
        let row = admin
            .fetch_one(
                "SELECT (SELECT count(*) FROM pg_stat_activity WHERE usename = 'dvt_app' AND state LIKE 'idle in transaction%' \
                         AND state_change < clock_timestamp() - interval '1 second'), \
                        (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'), \
                        (SELECT count(*) FROM pg_stat_activity WHERE usename = 'dvt_app' AND application_name = 'dvt')",
            )
            .await?;
        let number = |at: usize| Ok::<u64, BoxError>(u64::try_from(row.try_get::<i64, _>(at)?)?);
        health.idle_in_transaction = number(0)?;
        health.advisory_locks = number(1)?;
        health.connections = number(2)?;
    }
    Ok(health)
}

/// The files in a folder that hold a secret.
pub(super) fn files_with(folder: &Path, secret: &str) -> Result<Vec<String>, BoxError> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_file() && contains(&fs::read(&path)?, secret.as_bytes()) {
            found.push(path.display().to_string());
        }
    }
    Ok(found)
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    // A secret has no line break in it.
    text.split(|byte| *byte == b'\n')
        .any(|line| line.windows(part.len()).any(|window| window == part))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_found_wherever_it_stands() {
        assert!(contains(
            b"a line\nurl=postgresql://u:hunter2@h\n",
            b"hunter2"
        ));
        assert!(contains(b"hunter2", b"hunter2"));
        assert!(!contains(b"hunter1\nhunter", b"hunter2"));
    }
}
