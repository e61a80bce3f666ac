use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::str::FromStr as _;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{ConnectOptions as _, Executor as _, Row as _};
use tokio::time::{Instant, sleep, timeout};

use super::programs::Programs;
use crate::BoxError;

/// A server that does not come back by then is a failure of its own.
const UP_WITHIN: Duration = Duration::from_secs(60);
/// The role that owns the schema and serves the campaign.
const APP: &str = "dvt_app";

/// One server with its data.
#[derive(Debug, Clone)]
pub(crate) struct Server {
    pub(super) programs: Programs,
    pub(super) folder: PathBuf,
    pub(super) data: PathBuf,
    pub(super) port: u16,
    pub(super) secret: Secret,
    /// Whether its tables are on a disk that can be full.
    pub(super) small: bool,
}

/// The password of the campaign's roles, which must not show up anywhere.
#[derive(Clone)]
pub(crate) struct Secret(String);

impl Secret {
    pub(crate) fn exposed(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl Server {
    /// Makes a cluster and starts it. The campaign's database is on a small disk of its own, where mounting one is permitted.
    pub(crate) async fn new(programs: Programs, folder: &Path) -> Result<Self, BoxError> {
        let secret = Secret(uuid::Uuid::new_v4().simple().to_string());
        let data = folder.join("data");
        programs.make_folder(&data)?;
        let word = folder.join("word");
        fs::write(&word, secret.exposed())?;
        programs.own(&word)?;
        let mut initdb = programs.command("initdb");
        // Passwords in clear text, over the loopback: whoever logs what passes by has it.
        initdb.args([
            "--username=dvt",
            "--auth=password",
            "--locale=C",
            "--encoding=UTF8",
        ]);
        initdb.arg("--pgdata").arg(&data).arg("--pwfile").arg(&word);
        // The folder above belongs to us; a server needs to pass through it.
        fs::set_permissions(folder, std::os::unix::fs::PermissionsExt::from_mode(0o711))?;
        let made = initdb.output().await?;
        if !made.status.success() {
            return Err(format!("initdb: {}", String::from_utf8_lossy(&made.stderr)).into());
        }
        fs::remove_file(&word)?;
        let mut server = Self {
            programs,
            folder: folder.to_owned(),
            data,
            port: free_port()?,
            secret,
            small: false,
        };
        server.configure()?;
        server.start().await?;
        server.small = server.mount_small().await;
        server.make_database().await?;
        Ok(server)
    }

    pub(super) fn configure(&self) -> Result<(), BoxError> {
        let configuration = format!(
            "listen_addresses = '127.0.0.1'\nport = {}\nunix_socket_directories = ''\nmax_connections = 70\n\
             shared_buffers = '32MB'\nfsync = on\nsynchronous_commit = on\nfull_page_writes = on\nrestart_after_crash = on\n\
             max_wal_size = '256MB'\ncheckpoint_timeout = '60s'\nlog_min_messages = warning\nlogging_collector = off\n\
             log_line_prefix = '%m [%p] '\nlog_error_verbosity = default\nlog_min_error_statement = panic\n",
            self.port
        );
        fs::write(self.data.join("postgresql.auto.conf"), configuration)?;
        self.programs.own(&self.data.join("postgresql.auto.conf"))
    }

    /// Only a disk of its own can be full without harm to others.
    async fn mount_small(&self) -> bool {
        let small = self.folder.join("small");
        let made = self.programs.make_folder(&small);
        let mount = tokio::process::Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=4g", "tmpfs"])
            .arg(&small)
            .output()
            .await;
        made.is_ok()
            && mount.is_ok_and(|mount| mount.status.success())
            && self.programs.own(&small).is_ok()
    }

    async fn make_database(&self) -> Result<(), BoxError> {
        let mut admin = self.admin_of("postgres").await?;
        let password = self.secret.exposed();
        admin
            .execute(sqlx::AssertSqlSafe(format!(
                "CREATE ROLE {APP} LOGIN PASSWORD '{password}'"
            )))
            .await?;
        let place = match self.small {
            true => {
                let small = self.folder.join("small");
                admin
                    .execute(sqlx::AssertSqlSafe(format!(
                        "CREATE TABLESPACE small LOCATION '{}'",
                        small.display()
                    )))
                    .await?;
                "TABLESPACE small"
            }
            false => "",
        };
        admin
            .execute(sqlx::AssertSqlSafe(format!(
                "CREATE DATABASE chaos OWNER {APP} {place}"
            )))
            .await?;
        let row = admin
            .fetch_one(
                "SELECT current_setting('fsync') || current_setting('synchronous_commit') \
                 || current_setting('full_page_writes') || current_setting('restart_after_crash')",
            )
            .await?;
        match row.try_get::<String, _>(0)?.as_str() {
            "onononon" => Ok(()),
            _ => Err(
                "fsync, synchronous_commit, full_page_writes and restart_after_crash must be on"
                    .into(),
            ),
        }
    }

    pub(crate) fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    pub(crate) fn secret(&self) -> &Secret {
        &self.secret
    }

    /// Whether its disk can be filled.
    pub(crate) fn can_be_full(&self) -> bool {
        self.small
    }

    /// For the processes of the campaign. It has the password.
    pub(crate) fn url(&self) -> String {
        format!(
            "postgresql://{APP}:{}@127.0.0.1:{}/chaos",
            self.secret.exposed(),
            self.port
        )
    }

    /// A connection as the superuser, past all proxies.
    pub(crate) async fn admin(&self) -> Result<PgConnection, BoxError> {
        self.admin_of("chaos").await
    }

    async fn admin_of(&self, database: &str) -> Result<PgConnection, BoxError> {
        let url = format!(
            "postgresql://dvt:{}@127.0.0.1:{}/{database}",
            self.secret.exposed(),
            self.port
        );
        let options = PgConnectOptions::from_str(&url)?.application_name("chaos");
        Ok(timeout(Duration::from_secs(5), options.connect()).await??)
    }

    /// A connection as the campaign's role.
    pub(crate) async fn app(&self) -> Result<PgConnection, sqlx::Error> {
        PgConnectOptions::from_str(&self.url())?
            .application_name("flood")
            .connect()
            .await
    }

    pub(crate) async fn start(&self) -> Result<(), BoxError> {
        let begun = Instant::now();
        let data = self.data.to_string_lossy();
        let log = self
            .folder
            .join("evidence")
            .join(format!("server-{}.log", self.port));
        if !log.exists() {
            fs::write(&log, "")?;
        }
        self.programs.own(&log)?;
        // The log is in a folder of ours, which the server may pass through.
        let evidence = self.folder.join("evidence");
        fs::set_permissions(
            &evidence,
            std::os::unix::fs::PermissionsExt::from_mode(0o711),
        )?;
        let log = log.to_string_lossy();
        loop {
            // What an earlier server left: its shared memory is in use until its last process is gone.
            let started = self
                .programs
                .run(
                    "pg_ctl",
                    &["start", "-D", &data, "-l", &log, "-w", "-t", "30", "-s"],
                )
                .await;
            match started {
                Ok(()) => return self.accepts().await,
                Err(error) if begun.elapsed() > UP_WITHIN => return Err(error),
                Err(_) => sleep(Duration::from_millis(100)).await,
            }
        }
    }

    /// Waits until it lets somebody in, and takes writes.
    pub(crate) async fn accepts(&self) -> Result<(), BoxError> {
        let begun = Instant::now();
        loop {
            let asked = async {
                let mut admin = self.admin_of("postgres").await?;
                let row = admin.fetch_one("SELECT NOT pg_is_in_recovery()").await?;
                Ok::<bool, BoxError>(row.try_get(0)?)
            };
            match asked.await {
                Ok(true) => return Ok(()),
                _ if begun.elapsed() > UP_WITHIN => {
                    return Err("the server does not accept connections any more".into());
                }
                _ => sleep(Duration::from_millis(20)).await,
            }
        }
    }

    pub(crate) async fn stop_immediately(&self) -> Result<(), BoxError> {
        let data = self.data.to_string_lossy();
        self.programs
            .run(
                "pg_ctl",
                &["stop", "-D", &data, "-m", "immediate", "-w", "-s"],
            )
            .await
    }

    /// Kills the process that all others of the server belong to. They end by themselves when they notice.
    pub(crate) async fn kill_postmaster(&self) -> Result<(), BoxError> {
        self.signal(self.postmaster()?, Signal::KILL);
        let begun = Instant::now();
        while !self.processes().is_empty() {
            if begun.elapsed() > Duration::from_secs(2) {
                self.signal_all(Signal::KILL);
            }
            sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }

    pub(super) fn postmaster(&self) -> Result<i32, BoxError> {
        let file = fs::read_to_string(self.data.join("postmaster.pid"))?;
        Ok(file
            .lines()
            .next()
            .ok_or("postmaster.pid is empty")?
            .trim()
            .parse()?)
    }

    /// All processes of the server: it is they who work in its data.
    pub(super) fn processes(&self) -> Vec<i32> {
        let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
        let pids = entries.filter_map(|entry| {
            let pid = entry.file_name().to_str()?.parse().ok()?;
            let is_ours = fs::read_link(entry.path().join("cwd")).ok()? == self.data;
            is_ours.then_some(pid)
        });
        pids.collect()
    }

    /// Signals one of its processes, if it still is one of them.
    pub(crate) fn signal(&self, pid: i32, signal: Signal) {
        let is_ours = fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|cwd| cwd == self.data);
        if let Some(pid) = Pid::from_raw(pid).filter(|_| is_ours) {
            // It may have ended by itself.
            let _ = kill_process(pid, signal);
        }
    }

    pub(crate) fn signal_all(&self, signal: Signal) {
        let postmaster = self.postmaster().unwrap_or_default();
        // The one first that would start others.
        self.signal(postmaster, signal);
        for pid in self.processes() {
            if pid != postmaster {
                self.signal(pid, signal);
            }
        }
    }
}

pub(super) fn free_port() -> Result<u16, BoxError> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}
