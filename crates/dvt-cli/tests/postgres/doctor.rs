//! `dvt doctor`.

use crate::database::{Database, bare};

/// The checks, in the order in which they are told.
const CHECKS: [&str; 12] = [
    "server",
    "settings",
    "pooler",
    "tls",
    "clock",
    "connections",
    "migrations",
    "privileges",
    "indexes",
    "triggers",
    "transactions",
    "tables",
];

pub(crate) fn a_healthy_database_is_told_line_by_line(database: &Database) {
    let words = database.dvt(&["doctor", "--long-transaction", "1h"]);
    let mut checks: Vec<_> = words
        .out
        .lines()
        .map(|line| line.split('\t').nth(1).unwrap())
        .collect();
    checks.dedup();
    assert_eq!(checks, CHECKS);
    // Others use the server too: what is theirs may be told, what is ours must be good.
    for check in ["migrations", "indexes", "triggers", "pooler"] {
        let good = format!("good\t{check}\t");
        assert!(words.out.contains(&good), "{check}: {}", words.out);
    }

    let object = database.dvt(&["doctor", "--json", "--long-transaction", "1h"]);
    let object = object.json();
    let told = object["findings"].as_array().unwrap();
    assert_eq!(told.len(), words.out.lines().count());
    for finding in told {
        let is_problem = matches!(finding["severity"].as_str(), Some("warning" | "fault"));
        assert_eq!(finding["remedy"].is_string(), is_problem, "{finding}");
    }
}

pub(crate) fn problems_end_with_a_code_of_their_own(database: &Database) {
    database.execute("DROP INDEX outbox_parked_at");

    let words = database.dvt(&["doctor"]);
    assert_eq!(words.code, 9, "{words:?}");
    let fault = "fault\tindexes\tindex outbox_parked_at on outbox is missing\tmake it again as dvt migrate --dump-sql shows it\n";
    assert!(words.out.contains(fault), "{}", words.out);
    let object = database.dvt(&["doctor", "--json"]);
    assert_eq!(object.code, 9, "{object:?}");
    assert_eq!(object.json()["healthy"], false);

    // Nothing to examine is a failure, told like every other.
    let mut command = bare(&["doctor", "--store", "postgres://nobody@127.0.0.1:1/none"]);
    let refused = crate::database::Ran::from(command.output().unwrap());
    assert_eq!((refused.code, refused.out.as_str()), (4, ""), "{refused:?}");
    assert!(refused.err.contains("cannot connect to"), "{}", refused.err);
    let mut command = bare(&["doctor", "--store", "sqlite:dvt.db"]);
    let refused = crate::database::Ran::from(command.output().unwrap());
    assert_eq!(refused.code, 2, "{refused:?}");
    assert!(refused.err.contains("is for PostgreSQL"), "{}", refused.err);
}
