use std::fs;
use std::time::Duration;

use sqlx::{Executor as _, Row as _};
use tokio::time::{Instant, sleep};

use super::server::{Server, free_port};
use crate::BoxError;

/// A standby that does not stream by then is a failure of its own.
const STREAMS_WITHIN: Duration = Duration::from_secs(60);

impl Server {
    /// Makes a standby and starts it. From the reply on, nothing is acknowledged that it has not written down.
    pub(crate) async fn with_synchronous_standby(&self) -> Result<Self, BoxError> {
        let data = self.folder.join("standby");
        let target = data.to_string_lossy().into_owned();
        let connection = format!(
            "host=127.0.0.1 port={} user=dvt password={}",
            self.port,
            self.secret.exposed()
        );
        let mut backup = self.programs.command("pg_basebackup");
        backup.args([
            "--checkpoint=fast",
            "--write-recovery-conf",
            "--wal-method=stream",
            "-D",
            &target,
        ]);
        if self.small {
            let (from, to) = (self.folder.join("small"), self.folder.join("standby-small"));
            self.programs.make_folder(&to)?;
            backup.arg(format!(
                "--tablespace-mapping={}={}",
                from.display(),
                to.display()
            ));
        }
        // By the environment: the list of processes is for everybody.
        self.programs.make_folder(&data)?;
        backup.env("PGPASSWORD", self.secret.exposed()).args([
            "-d",
            &connection.replace(&format!(" password={}", self.secret.exposed()), ""),
        ]);
        let copied = backup.output().await?;
        if !copied.status.success() {
            return Err(
                format!("pg_basebackup: {}", String::from_utf8_lossy(&copied.stderr)).into(),
            );
        }
        let standby = Self {
            data,
            port: free_port()?,
            small: false,
            ..self.clone()
        };
        standby.configure()?;
        let mut configuration = fs::read_to_string(standby.data.join("postgresql.auto.conf"))?;
        configuration.push_str(&format!("primary_conninfo = '{connection}'\n"));
        fs::write(standby.data.join("postgresql.auto.conf"), configuration)?;
        let log = self
            .folder
            .join("evidence")
            .join(format!("server-{}.log", standby.port));
        fs::write(&log, "")?;
        self.programs.own(&log)?;
        let log = log.to_string_lossy();
        self.programs
            .run(
                "pg_ctl",
                &["start", "-D", &target, "-l", &log, "-w", "-t", "30", "-s"],
            )
            .await?;
        self.wait_for("SELECT count(*) > 0 FROM pg_stat_replication WHERE state = 'streaming'")
            .await?;
        let mut admin = self.admin().await?;
        admin
            .execute("ALTER SYSTEM SET synchronous_standby_names = '*'")
            .await?;
        admin.execute("SELECT pg_reload_conf()").await?;
        self.wait_for("SELECT count(*) > 0 FROM pg_stat_replication WHERE sync_state = 'sync' AND state = 'streaming'").await?;
        Ok(standby)
    }

    /// Makes it the server that takes writes.
    pub(crate) async fn promote(&self) -> Result<(), BoxError> {
        let data = self.data.to_string_lossy();
        self.programs
            .run("pg_ctl", &["promote", "-D", &data, "-w", "-t", "60", "-s"])
            .await?;
        self.accepts().await
    }

    async fn wait_for(&self, question: &'static str) -> Result<(), BoxError> {
        let begun = Instant::now();
        loop {
            let mut admin = self.admin().await?;
            if admin.fetch_one(question).await?.try_get::<bool, _>(0)? {
                return Ok(());
            }
            if begun.elapsed() > STREAMS_WITHIN {
                return Err("the standby does not stream".into());
            }
            sleep(Duration::from_millis(50)).await;
        }
    }
}
