//! A cluster of our own, for a while.

use std::env;
use std::net::TcpListener;

use super::binaries::Binaries;
use super::url::Url;
use super::user::User;
use crate::guard::Guard;
use crate::scratch::Scratch;

/// Makes a cluster, starts it on the first port that is free, tells which, and removes all when its input ends.
///
/// The folder is the last to go, whatever happens before. `fsync` stays on: a test may kill the server.
const SCRIPT: &str = r#"
dir=$1 bin=$2
shift 2
cd "$dir" || exit 1
trap 'rm -rf "$dir"' EXIT
"$bin/initdb" --pgdata="$dir/data" --username=dvt --auth=trust --locale=C --encoding=UTF8 >"$dir/log" 2>&1 || {
  cat "$dir/log" >&2
  exit 1
}
for port; do
  cat >"$dir/data/postgresql.auto.conf" <<CONF
listen_addresses = '127.0.0.1'
port = $port
unix_socket_directories = ''
CONF
  if "$bin/pg_ctl" --pgdata="$dir/data" --log="$dir/log" --wait --timeout=60 start >/dev/null 2>&1; then
    echo "$port"
    cat >/dev/null
    "$bin/pg_ctl" --pgdata="$dir/data" --mode=fast --wait stop >/dev/null 2>&1 ||
      "$bin/pg_ctl" --pgdata="$dir/data" --mode=immediate --wait stop >/dev/null
    exit
  fi
done
cat "$dir/log" >&2
exit 1
"#;
/// Somebody else may take a port between our look and the server's: then the next one serves.
const PORTS: usize = 3;

/// A server on a port of 127.0.0.1, with a data directory that is gone when this is dropped.
#[derive(Debug)]
pub(super) struct Cluster {
    port: u16,
    // Dropped in this order: the server, then what it may have left.
    _guard: Guard,
    _scratch: Scratch,
}

impl Cluster {
    /// Makes it and waits until it answers.
    ///
    /// # Errors
    ///
    /// A sentence; the server's own words stand on standard error by then.
    pub(super) fn start(binaries: &Binaries) -> Result<Self, String> {
        let fault = |why: String| format!("cannot start a server from {binaries}: {why}");
        let user = User::find().map_err(fault)?;
        let scratch = Scratch::new().map_err(|error| fault(error.to_string()))?;
        user.own(scratch.root()).map_err(fault)?;
        let ports = free_ports().map_err(|error| fault(error.to_string()))?;

        let mut shell = user.shell();
        shell
            .args(["-c", SCRIPT, "sh"])
            .arg(scratch.root())
            .arg(binaries.dir());
        shell
            .args(ports.iter().map(u16::to_string))
            .current_dir("/");
        // What is meant for the user's own servers.
        for (name, _) in env::vars_os() {
            if name.to_string_lossy().starts_with("PG") {
                shell.env_remove(name);
            }
        }
        let (guard, port) = Guard::start(&mut shell).map_err(fault)?;
        let port = port
            .parse()
            .map_err(|_| fault(format!("expected a port, found `{port}`")))?;
        Ok(Self {
            port,
            _guard: guard,
            _scratch: scratch,
        })
    }

    /// Where it answers. There is no password: it trusts whoever reaches this machine's own address.
    pub(super) fn url(&self) -> Url {
        Url::new(format!("postgresql://dvt@127.0.0.1:{}/postgres", self.port))
    }
}

/// Some ports that nobody listens on right now, all different.
fn free_ports() -> std::io::Result<Vec<u16>> {
    let listeners = (0..PORTS).map(|_| TcpListener::bind(("127.0.0.1", 0)));
    let listeners = listeners.collect::<Result<Vec<_>, _>>()?;
    let ports = listeners
        .iter()
        .map(|listener| Ok(listener.local_addr()?.port()));
    ports.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_differ() {
        let mut ports = free_ports().unwrap();
        ports.sort_unstable();
        ports.dedup();
        assert_eq!(ports.len(), PORTS);
    }
}
