//! What an error means, by SQLSTATE and constraint name, never by message text.

use sqlx::postgres::{PgDatabaseError, PgSeverity};

/// What an error of sqlx means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cause {
    /// The connection is gone; whether the statement took effect cannot be known.
    Lost,
    /// Others worked on the same rows: the same statement, sent again, may succeed.
    Contention,
    /// The server lacked time or room and undid the statement.
    Resources,
    /// A server that takes no writes, or a session left in a failed transaction: another connection may do.
    WrongServer,
    /// The store is not set up for it: privileges, authentication, a missing or foreign schema.
    Refused,
    /// The statement itself is wrong, or its reply cannot be read.
    Wrong,
}

/// The constraint that keeps keys unique within a run.
const IDEMPOTENCY: &str = "run_events_idempotency";

pub(crate) fn cause(error: &sqlx::Error) -> Cause {
    match error {
        sqlx::Error::Database(error) => match error.try_downcast_ref::<PgDatabaseError>() {
            Some(error) => database_cause(error.code(), error.constraint(), is_fatal(error)),
            None => Cause::Wrong,
        },
        sqlx::Error::Io(_) | sqlx::Error::Protocol(_) | sqlx::Error::WorkerCrashed => Cause::Lost,
        // Certificates, host names, settings that do not fit: nothing that waiting mends.
        sqlx::Error::Tls(_) | sqlx::Error::Configuration(_) => Cause::Refused,
        _ => Cause::Wrong,
    }
}

/// Whether a connection that could not be made may be made in a moment. A certificate that is refused comes as invalid data.
pub(crate) fn may_connect_later(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(error) => error.kind() != std::io::ErrorKind::InvalidData,
        sqlx::Error::Database(_) => cause(error) != Cause::Refused,
        // A handshake that was cut short: the driver takes the end of the connection for a byte that it does not know.
        sqlx::Error::Protocol(_) => true,
        _ => false,
    }
}

/// Whether the server has answered the statement in full, so that its connection can serve the next one.
pub(crate) fn is_answer(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Database(database) => {
            let fatal = database
                .try_downcast_ref::<PgDatabaseError>()
                .is_none_or(is_fatal);
            !fatal && cause(error) != Cause::WrongServer
        }
        // The reply was read to its end and could not be understood.
        sqlx::Error::RowNotFound => true,
        _ => false,
    }
}

fn is_fatal(error: &PgDatabaseError) -> bool {
    matches!(error.severity(), PgSeverity::Fatal | PgSeverity::Panic)
}

fn database_cause(code: &str, constraint: Option<&str>, fatal: bool) -> Cause {
    // A server that ends the session in the middle of a statement leaves its outcome open, whatever it says. Only these come
    // before there is a session.
    let before_session =
        matches!(code, "53300" | "57P03" | "3D000" | "42501") || code.starts_with("28");
    if fatal && !before_session {
        return Cause::Lost;
    }
    match code {
        // serialization_failure, deadlock_detected
        "40001" | "40P01" => Cause::Contention,
        "23505" if constraint == Some(IDEMPOTENCY) => Cause::Contention,
        // lock_not_available, query_canceled (statement_timeout)
        "55P03" | "57014" => Cause::Resources,
        // cannot_connect_now: starting up or shutting down
        "57P03" => Cause::Resources,
        // read_only_sql_transaction, in_failed_sql_transaction, and statements that were prepared for another schema or
        // in another session
        "25006" | "25P02" | "0A000" | "26000" => Cause::WrongServer,
        // insufficient_privilege, undefined database, schema or table
        "42501" | "3D000" | "3F000" | "42P01" => Cause::Refused,
        _ => match code.get(..2) {
            // insufficient resources, errors of the operating system
            Some("53" | "58") => Cause::Resources,
            // connection exceptions, operator intervention (57P01, 57P02), idle_in_transaction and such
            Some("08" | "57") => Cause::Lost,
            // invalid authorization
            Some("28") => Cause::Refused,
            _ => Cause::Wrong,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handshake_that_was_cut_short_is_tried_again() {
        // Seen when a server was stopped between the client's first message and its answer.
        let cut = "unexpected response from SSLRequest: 0x00".to_owned();
        assert!(may_connect_later(&sqlx::Error::Protocol(cut)));
        let certificate = std::io::Error::from(std::io::ErrorKind::InvalidData);
        assert!(!may_connect_later(&certificate.into()));
    }

    #[test]
    fn every_observed_state_has_its_meaning() {
        for (code, constraint, fatal, expected) in [
            ("40001", None, false, Cause::Contention),
            ("40P01", None, false, Cause::Contention),
            (
                "23505",
                Some("run_events_idempotency"),
                false,
                Cause::Contention,
            ),
            ("23505", Some("run_events_pkey"), false, Cause::Wrong),
            ("55P03", None, false, Cause::Resources),
            ("57014", None, false, Cause::Resources),
            ("53100", None, false, Cause::Resources),
            // The server panicked: its last record may have been written.
            ("53100", None, true, Cause::Lost),
            ("53300", None, true, Cause::Resources),
            ("58030", None, false, Cause::Resources),
            ("58030", None, true, Cause::Lost),
            ("0A000", None, false, Cause::WrongServer),
            ("57P03", None, true, Cause::Resources),
            ("57P01", None, true, Cause::Lost),
            ("57P02", None, true, Cause::Lost),
            ("57P05", None, true, Cause::Lost),
            ("08006", None, true, Cause::Lost),
            ("25P03", None, true, Cause::Lost),
            ("25006", None, false, Cause::WrongServer),
            ("25P02", None, false, Cause::WrongServer),
            ("28P01", None, true, Cause::Refused),
            ("3D000", None, true, Cause::Refused),
            ("42501", None, false, Cause::Refused),
            ("42P01", None, false, Cause::Refused),
            ("42703", None, false, Cause::Wrong),
            ("22003", None, false, Cause::Wrong),
            ("23514", Some("outbox_cursor"), false, Cause::Wrong),
            ("54000", None, false, Cause::Wrong),
        ] {
            assert_eq!(database_cause(code, constraint, fatal), expected, "{code}");
        }
    }
}
