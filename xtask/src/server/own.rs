//! A server of our own, for a while.

use std::env;
use std::net::TcpListener;

use super::binaries::Binaries;
use super::product::Product;
use super::user::User;
use crate::guard::Guard;
use crate::scratch::Scratch;

/// A server on a port of 127.0.0.1, with a directory that is gone when this is dropped.
///
/// It is started by its product's script, `sh SCRIPT DIR BIN PORT…`, which tells the port that it took: somebody else may take
/// one between our look and the server's, then the next one serves. The script stops it and removes the directory when the
/// script's input ends.
#[derive(Debug)]
pub(super) struct Own {
    port: u16,
    // Dropped in this order: the server, then what it may have left.
    _guard: Guard,
    _scratch: Scratch,
}

impl Own {
    /// Makes it and waits until it answers.
    ///
    /// # Errors
    ///
    /// A sentence; the server's own words stand on standard error by then.
    pub(super) fn start(product: Product, binaries: &Binaries) -> Result<Self, String> {
        let facts = product.facts();
        let fault = |why: String| {
            format!(
                "cannot start a {} server from {binaries}: {why}",
                facts.name
            )
        };
        let user = if facts.refuses_root {
            User::find().map_err(fault)?
        } else {
            User::Ourselves
        };
        let scratch = Scratch::new().map_err(|error| fault(error.to_string()))?;
        user.own(scratch.root()).map_err(fault)?;
        let ports = free_ports(facts.ports).map_err(|error| fault(error.to_string()))?;

        let mut shell = user.shell();
        shell
            .args(["-c", facts.script, "sh"])
            .arg(scratch.root())
            .arg(binaries.dir());
        shell
            .args(ports.iter().map(u16::to_string))
            .current_dir("/");
        for (name, _) in env::vars_os() {
            let text = name.to_string_lossy();
            if facts.not_for_us.iter().any(|start| text.starts_with(start)) {
                shell.env_remove(&name);
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

    /// Where it answers on 127.0.0.1.
    pub(super) fn port(&self) -> u16 {
        self.port
    }
}

/// Some ports that nobody listens on right now, all different.
fn free_ports(number: usize) -> std::io::Result<Vec<u16>> {
    let listeners = (0..number).map(|_| TcpListener::bind(("127.0.0.1", 0)));
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
        let mut ports = free_ports(9).unwrap();
        ports.sort_unstable();
        ports.dedup();
        assert_eq!(ports.len(), 9);
    }
}

#[cfg(all(test, unix))]
mod process_tests {
    use super::*;
    use std::process::Command;

    /// A program with this text, run as a server whose log shows `up` when it is ready.
    fn run(program: &str) -> (Scratch, Command) {
        let scratch = Scratch::with(&[("bin/server", program), ("dir/x", "")]);
        let script = concat!(
            include_str!("own/process.sh"),
            "up '^up$' sh \"$bin/server\" || { cat \"$dir/log\" >&2; exit 1; }\nserve \"$1\"\ndown \"$server\"\n"
        );
        let mut shell = Command::new("sh");
        shell
            .args(["-c", script, "sh"])
            .arg(scratch.root().join("dir"))
            .arg(scratch.root().join("bin"))
            .arg("17");
        (scratch, shell)
    }

    #[test]
    fn a_process_ends_with_its_guard_and_leaves_nothing() {
        let (scratch, mut shell) = run(
            "trap 'touch ../stopped; exit' TERM\necho $$ >../pid\necho up\nwhile :; do sleep 0.05; done\n",
        );

        let (guard, port) = Guard::start(&mut shell).unwrap();
        assert_eq!(port, "17");
        let pid = std::fs::read_to_string(scratch.root().join("pid")).unwrap();
        let signal = || {
            let kill = Command::new("sh")
                .args(["-c", "kill -0 \"$1\" 2>/dev/null", "sh", pid.trim()])
                .status();
            kill.unwrap().success()
        };
        assert!(signal());

        drop(guard);
        assert!(!signal());
        assert!(scratch.root().join("stopped").exists());
        assert!(!scratch.root().join("dir").exists());
    }

    #[test]
    fn a_process_that_ends_by_itself_was_never_up() {
        let (scratch, mut shell) = run("exit 3\n");
        let fault = Guard::start(&mut shell).unwrap_err();
        assert_eq!(fault, "`sh` ended before it was ready");
        assert!(!scratch.root().join("dir").exists());
    }
}
