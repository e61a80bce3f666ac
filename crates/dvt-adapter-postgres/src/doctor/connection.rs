//! What lies between this program and the server: a pooler, encryption, and two clocks.

use std::time::{Duration, Instant};

use dvt_contracts::Timestamp;
use sqlx::{Executor as _, PgConnection, Row as _};

use super::finding::{Check, Finding, Severity};
use super::server_check::ServerRow;
use crate::moment::Moment;
use crate::server::{Server, ServerFault};
use crate::settings::{PostgresSettings, Protection};

/// How often the clocks are compared; the quickest answer counts.
const LOOKS: usize = 5;

/// A larger difference makes what people see of both clocks confusing. Nothing is decided by it.
const SKEW: Duration = Duration::from_secs(2);

/// Whether two sessions stay with a server process each, asked in turns: a pooler in transaction mode hands a process that
/// has just answered to whoever asks next. The simple protocol, since a prepared statement would fail there in many ways.
pub(super) async fn pooler(
    first: &mut PgConnection,
    second: &mut PgConnection,
    search_path: &str,
) -> sqlx::Result<Finding> {
    first
        .execute("SELECT set_config('dvt.probe', 'first', false)")
        .await?;
    second
        .execute("SELECT set_config('dvt.probe', 'second', false)")
        .await?;
    let mut seen = Vec::new();
    for _ in 0..3 {
        let (one, other) = (session(first).await?, session(second).await?);
        seen.push(Turn {
            pids: (one.0, other.0),
            keeps: one.1 == "first" && other.1 == "second",
        });
    }
    let found = judge(&seen);
    let asked = Server::ask(first).await?.check(search_path);
    Ok(match asked {
        Err(fault @ ServerFault::SearchPath { .. }) if found.severity == Severity::Good => {
            Finding::fault(
                Check::Pooler,
                fault.to_string(),
                "connect to the server itself, or let the pooler pass startup parameters on",
            )
        }
        _ => found,
    })
}

/// The process that serves a session, and what the session was told to remember.
async fn session(connection: &mut PgConnection) -> sqlx::Result<(i32, String)> {
    let row = connection
        .fetch_one(sqlx::raw_sql(
            "SELECT pg_backend_pid(), coalesce(current_setting('dvt.probe', true), '')",
        ))
        .await?;
    Ok((row.try_get(0)?, row.try_get(1)?))
}

struct Turn {
    pids: (i32, i32),
    /// Whether each session still knows what it was told.
    keeps: bool,
}

fn judge(seen: &[Turn]) -> Finding {
    let stays = seen.windows(2).all(|turns| turns[0].pids == turns[1].pids);
    let apart = seen.iter().all(|turn| turn.pids.0 != turn.pids.1);
    if stays && apart && seen.iter().all(|turn| turn.keeps) {
        return Finding::good(
            Check::Pooler,
            "each session keeps a server process to itself",
        );
    }
    Finding::fault(
        Check::Pooler,
        "sessions share server processes: a pooler in transaction mode is in between",
        "connect to the server itself, or to a pooler in session mode",
    )
}

/// The protection of the connection.
pub(super) fn tls(server: &ServerRow, settings: &PostgresSettings) -> Finding {
    protection(settings.protection(), server.tls_version.as_deref())
}

fn protection(protection: Protection, version: Option<&str>) -> Finding {
    let check = Check::Tls;
    match (protection, version) {
        (Protection::Socket, _) => {
            Finding::good(check, "a Unix-domain socket: nothing leaves the machine")
        }
        (Protection::Local, _) => {
            Finding::good(check, "the loopback interface: nothing leaves the machine")
        }
        (Protection::Verified, Some(version)) => {
            Finding::good(check, format!("{version}, and the server proves its name"))
        }
        (Protection::NameUnchecked | Protection::Opportunistic, Some(version)) => Finding::warning(
            check,
            format!("{version}, but the server's name is not checked: another could pose as it"),
            "use sslmode=verify-full",
        ),
        // The driver has TLS, the server's process has not.
        (Protection::Verified | Protection::NameUnchecked, None) => Finding::warning(
            check,
            "encrypted up to a pooler or proxy, which goes on to the server in clear text",
            "let it use TLS towards the server too, unless both share a machine",
        ),
        (Protection::Opportunistic, None) => Finding::fault(
            check,
            "passwords and events cross the network in clear text",
            "use sslmode=verify-full, and leave DVT_PG_ALLOW_PLAINTEXT out",
        ),
    }
}

/// The server's clock against this machine's.
pub(super) async fn clock(connection: &mut PgConnection) -> sqlx::Result<Vec<Finding>> {
    let mut best: Option<(Duration, i64)> = None;
    for _ in 0..LOOKS {
        let (before, asked) = (Timestamp::now().as_micros(), Instant::now());
        let row = sqlx::query_file!("queries/doctor_clock.sql")
            .fetch_one(&mut *connection)
            .await?;
        let theirs = row.now.0.as_micros();
        let took = asked.elapsed();
        // The answer was made somewhere on the way.
        let ours = before + i64::try_from(took.as_micros() / 2).unwrap_or(0);
        if best.is_none_or(|(least, _)| took < least) {
            best = Some((took, theirs - ours));
        }
    }
    let (took, ahead) = best.unwrap_or_default();
    Ok(vec![skew(ahead, took)])
}

fn skew(ahead: i64, took: Duration) -> Finding {
    let by = Duration::from_micros(ahead.unsigned_abs());
    let side = if ahead < 0 { "behind" } else { "ahead of" };
    let found = format!(
        "the server's clock is {:.3} s {side} this machine's, give or take {:.3} s",
        by.as_secs_f64(),
        took.as_secs_f64() / 2.0
    );
    if by > SKEW + took {
        return Finding::warning(
            Check::Clock,
            format!(
                "{found}; leases and back-off go by the server's, emitted_at by the producers'"
            ),
            "let both machines take their time from one source (NTP)",
        );
    }
    Finding::good(Check::Clock, found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sessions_that_share_a_process_are_told() {
        let told = |turns: &[((i32, i32), bool)]| {
            let turns = turns.iter();
            let turns: Vec<_> = turns.map(|&(pids, keeps)| Turn { pids, keeps }).collect();
            judge(&turns).severity
        };
        assert_eq!(told(&[((1, 2), true), ((1, 2), true)]), Severity::Good);
        assert_eq!(told(&[((1, 1), true), ((1, 1), true)]), Severity::Fault);
        assert_eq!(told(&[((1, 2), true), ((2, 1), true)]), Severity::Fault);
        assert_eq!(told(&[((1, 2), true), ((1, 2), false)]), Severity::Fault);
    }

    #[test]
    fn clear_text_is_a_fault_only_where_it_leaves_the_machine() {
        let told = |kind, version| protection(kind, version).severity;
        assert_eq!(told(Protection::Socket, None), Severity::Good);
        assert_eq!(told(Protection::Local, None), Severity::Good);
        assert_eq!(told(Protection::Verified, Some("TLSv1.3")), Severity::Good);
        assert_eq!(told(Protection::Verified, None), Severity::Warning);
        assert_eq!(
            told(Protection::NameUnchecked, Some("TLSv1.3")),
            Severity::Warning
        );
        assert_eq!(told(Protection::Opportunistic, None), Severity::Fault);
    }

    #[test]
    fn clocks_are_judged_beyond_what_the_way_takes() {
        let told = |ahead, took| skew(ahead, Duration::from_millis(took));
        assert_eq!(
            told(-1_500_000, 20).found,
            "the server's clock is 1.500 s behind this machine's, give or take 0.010 s"
        );
        assert_eq!(told(-1_500_000, 20).severity, Severity::Good);
        assert_eq!(told(2_500_000, 20).severity, Severity::Warning);
        assert_eq!(told(2_500_000, 600).severity, Severity::Good);
    }
}
