//! A real PgBouncer in transaction mode, which no store can work behind.

use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use dvt_adapter_postgres::{Check, Doctor, PostgresSettings, PostgresStore, Severity};
use url::Url;

use crate::ground::{Ground, becomes_true};
use crate::server::url;
use crate::trial::{Outcome, trials};

trials![a_pooler_in_transaction_mode_is_told_as_what_it_is];

/// Stopped with the value.
struct Pooler {
    process: Child,
    url: String,
    _folder: tempfile::TempDir,
}

impl Pooler {
    /// In front of the server of `DATABASE_URL`. `None`, and a line that says so, where there is no PgBouncer, or no way to
    /// the server but a password.
    fn start() -> Option<Self> {
        let server = Url::parse(&url()).unwrap();
        let port = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let folder = tempfile::tempdir().unwrap();
        // PgBouncer does not run as root.
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
        let (host, database) = (server.host_str().unwrap_or_default(), &server.path()[1..]);
        let (user, to) = (server.username(), server.port().unwrap_or(5432));
        let settings = format!(
            "[databases]\n{database} = host={host} port={to} user={user}\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\n\
             unix_socket_dir =\nauth_type = any\npool_mode = transaction\nignore_startup_parameters = options,extra_float_digits\n"
        );
        let file = folder.path().join("pgbouncer.ini");
        std::fs::write(&file, settings).unwrap();
        if server.password().is_some() || host.is_empty() {
            println!("left out: a pooler needs a server on TCP that asks for no password");
            return None;
        }
        let mut command = Command::new("sh");
        let script = r#"PATH="$PATH:/usr/sbin"; command -v pgbouncer > /dev/null || exit 0
            if [ "$(id -u)" = 0 ]; then exec setpriv --reuid=postgres --regid=postgres --clear-groups pgbouncer "$0"; fi
            exec pgbouncer "$0""#;
        let quiet = command.args(["-c", script]).arg(&file);
        let mut process = quiet
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(Duration::from_millis(100));
        if process.try_wait().unwrap().is_some() {
            println!("left out: a pooler needs the program pgbouncer");
            return None;
        }
        let url = format!("postgres://{user}@127.0.0.1:{port}/{database}?sslmode=disable");
        Some(Self {
            process,
            url,
            _folder: folder,
        })
    }
}

impl Drop for Pooler {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

async fn a_pooler_in_transaction_mode_is_told_as_what_it_is() -> Outcome {
    let Some(pooler) = Pooler::start() else {
        return Ok(());
    };
    let ground = Ground::new().await;
    let settings = || -> PostgresSettings { ground.schema.settings_by(&pooler.url) };
    // It takes a moment to listen.
    let doctor = Doctor::new(settings());
    assert!(becomes_true(async || doctor.examine().await.is_ok()).await);

    for _ in 0..3 {
        let findings = doctor.examine().await?;
        let [found] = &findings[..] else {
            panic!("{findings:#?}");
        };
        assert_eq!(
            (found.check, found.severity),
            (Check::Pooler, Severity::Fault)
        );
        let refused = PostgresStore::connect(settings()).await.unwrap_err();
        assert!(
            refused.to_string().contains("a pooler is in between"),
            "{refused}"
        );
    }
    Ok(())
}
