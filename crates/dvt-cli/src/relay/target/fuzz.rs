//! Broken URLs of sinks and stores: a value or an error, and the password in neither.

use std::fmt::Display;

use clap::Parser;
use dvt_adapter_postgres::PostgresSettings;
use dvt_fuzz::fuzz;

use super::Target;
use crate::args::SinkArgs;

const PASSWORD: &str = "s3cr3t";
const URLS: [&str; 12] = [
    "postgres://dvt:s3cr3t@db.example:5433/dvt?sslmode=verify-full&application_name=a",
    "postgresql://dvt@localhost/dvt?password=s3cr3t&options=-c%20work_mem%3D7MB&options[statement_timeout]=1h",
    "postgres:///dvt?host=/var/run/postgresql&user=dvt&password=s3cr3t",
    "postgresql://dvt:s3cr3t@[::1]/d%62?sslrootcert=/ca.pem",
    "nats://dvt:s3cr3t@bus.example:4222/dvt.{tenant}.{run}",
    "tls://dvt:s3cr3t@bus.example/dvt.{event_type}",
    "amqps://dvt:s3cr3t@bus.example:5671/vhost/exchange?routing_key={tenant}",
    "amqp://dvt:s3cr3t@127.0.0.1/%2f/queue",
    "https://dvt:s3cr3t@hooks.example:8443/dvt?key=1#part",
    "http://127.0.0.1:8080/hook",
    "stdout:",
    "sqlite:dvt.db",
];

#[derive(Debug, Parser)]
struct Line {
    #[command(flatten)]
    sink: SinkArgs,
}

/// Whether the password stands where one belongs. Damage may have copied it into a path or a host, which are no secrets.
fn is_password(url: &str) -> bool {
    let rest = url.split_once("://").map_or("", |(_, rest)| rest);
    let login = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let in_query = ["?password=s3cr3t", "&password=s3cr3t"]
        .iter()
        .any(|part| rest.contains(part));
    let in_place = login.contains(":s3cr3t@") || url.starts_with("postgres") && in_query;
    in_place && url.matches(PASSWORD).count() == 1
}

fn check(url: &str, shown: impl Display) {
    let shown = shown.to_string();
    assert!(
        shown.len() < 16 * 1024 + 64 * url.len(),
        "{} bytes",
        shown.len()
    );
    assert!(
        !is_password(url) || !shown.contains(PASSWORD),
        "{url:?} is shown as {shown}"
    );
}

#[test]
fn broken_urls_are_answered_without_their_passwords() {
    let args = Line::parse_from(["test", "--allow-http", "--allow-private"]).sink;
    fuzz("URLs", &URLS, |bytes| {
        let Ok(url) = std::str::from_utf8(bytes) else {
            return;
        };
        for settings in [
            PostgresSettings::from_url(url),
            PostgresSettings::from_url_allowing_plaintext(url),
        ] {
            match settings {
                Ok(settings) => check(url, format!("{settings:?}")),
                Err(error) => check(url, format!("{error} {error:?}")),
            }
        }
        match Target::new(url, &args, |_| None) {
            Ok(target) => check(url, format!("{target:?} {:?}", target.destination().ok())),
            Err(failure) => check(url, format!("{failure} {failure:?}")),
        }
    });
}
