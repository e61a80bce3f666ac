//! A server of the test's own, whose settings it may change.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::server::random_name;

/// Stopped and removed with the value.
pub(crate) struct OwnServer {
    programs: PathBuf,
    folder: PathBuf,
    port: u16,
}

impl OwnServer {
    /// Starts one. `None`, and a line that says so, if there are no programs to start, or only root could do it.
    pub(crate) fn start() -> Option<Self> {
        let Some(programs) = programs() else {
            println!(
                "left out: a server of one's own needs initdb in DVT_PG_BIN, PATH or /usr/lib/postgresql/*/bin"
            );
            return None;
        };
        if is_root() && !run(as_postgres("true")) {
            println!(
                "left out: a server does not start as root, and there is no user postgres to become"
            );
            return None;
        }
        let folder = std::env::temp_dir().join(random_name());
        std::fs::create_dir(&folder).unwrap();
        if is_root() {
            assert!(run(Command::new("chown").arg("postgres").arg(&folder)));
        }
        // Free now, and with luck still free in a moment.
        let port = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let server = Self {
            programs,
            folder,
            port,
        };
        let options = [
            "-A",
            "trust",
            "-U",
            "postgres",
            "--locale=C",
            "--encoding=UTF8",
            "--no-sync",
        ];
        assert!(run(server.program("initdb").args(options)), "initdb");
        let options = format!(
            "-c port={port} -c listen_addresses=127.0.0.1 -c unix_socket_directories='' -c fsync=off"
        );
        let log = server.folder.join("log");
        let mut start = server.program("pg_ctl");
        start.args(["start", "-w", "-o", &options, "-l"]).arg(log);
        assert!(run(&mut start), "pg_ctl start");
        Some(server)
    }

    /// Stops it without a goodbye to anybody, and starts it again.
    pub(crate) fn crash_and_restart(&self) {
        let log = self.folder.join("log");
        let mut restart = self.program("pg_ctl");
        restart
            .args(["restart", "-w", "-m", "immediate", "-l"])
            .arg(log);
        assert!(run(&mut restart), "pg_ctl restart");
    }

    /// Its database `postgres`, seen by the superuser.
    pub(crate) fn url(&self) -> String {
        format!(
            "postgres://postgres@127.0.0.1:{}/postgres?sslmode=disable",
            self.port
        )
    }

    fn program(&self, name: &str) -> Command {
        let mut command = as_postgres(self.programs.join(name));
        command.arg("-D").arg(&self.folder);
        command
    }
}

impl Drop for OwnServer {
    fn drop(&mut self) {
        run(self.program("pg_ctl").args(["stop", "-m", "immediate"]));
        let removed = std::fs::remove_dir_all(&self.folder);
        assert!(
            removed.is_ok() || std::thread::panicking(),
            "the test left a folder behind"
        );
    }
}

/// Whether it ended well. What it says goes nowhere.
fn run(mut command: impl std::borrow::BorrowMut<Command>) -> bool {
    let command = command.borrow_mut();
    let quiet = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    quiet
        .current_dir("/")
        .status()
        .is_ok_and(|status| status.success())
}

fn is_root() -> bool {
    let uid = Command::new("id").arg("-u").output();
    uid.is_ok_and(|output| output.stdout == b"0\n")
}

/// A command as whoever may run a server.
fn as_postgres(program: impl AsRef<std::ffi::OsStr>) -> Command {
    if !is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups"]);
    command.arg(program);
    command
}

/// Where the programs are: in `DVT_PG_BIN`, on the path, or where Debian puts them, the newest first.
fn programs() -> Option<PathBuf> {
    let has_initdb = |folder: &PathBuf| folder.join("initdb").is_file();
    let named = std::env::var_os("DVT_PG_BIN").map(PathBuf::from);
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut debian: Vec<PathBuf> = std::fs::read_dir(Path::new("/usr/lib/postgresql"))
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path().join("bin"))
        .collect();
    debian.sort();
    debian.reverse();
    named
        .into_iter()
        .chain(std::env::split_paths(&path))
        .chain(debian)
        .find(has_initdb)
}
