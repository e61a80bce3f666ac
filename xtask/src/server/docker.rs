//! The servers of docker/compose.yml.

use std::fmt;
use std::process::{Command, Stdio};

use super::ask::ask;
use crate::guard::Guard;
use crate::workspace::Workspace;

/// How the compose file is named to Docker; the name of its project stands in it.
const COMPOSE: [&str; 3] = ["compose", "--file", "docker/compose.yml"];
/// How services are started.
const UP: [&str; 6] = [
    "up",
    "--detach",
    "--no-recreate",
    "--wait",
    "--wait-timeout",
    "120",
];

/// Running services; those that did not run before are stopped when this is dropped.
#[derive(Debug)]
pub(super) struct Docker {
    /// What was left alone.
    running: Vec<String>,
    _guards: Vec<Guard>,
}

/// Why there is no server of Docker's.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum DockerFault {
    /// No engine answers, or there is no plugin: this machine has no Docker for us.
    Absent(String),
    /// It is there, and did not do it.
    Failed(String),
}

/// The services of our project that there were before we came.
#[derive(Debug, Default)]
struct Before {
    running: Vec<String>,
    /// The running ones, and those that are stopped.
    all: Vec<String>,
}

impl Docker {
    /// Starts those of these services that do not run, and waits until all are healthy.
    ///
    /// # Errors
    ///
    /// Why not.
    pub(super) fn up(workspace: &Workspace, services: &[&str]) -> Result<Self, DockerFault> {
        ask("docker", &["version", "--format", "{{.Server.Version}}"])
            .map_err(DockerFault::Absent)?;
        ask("docker", &["compose", "version"]).map_err(DockerFault::Absent)?;
        let file = workspace.root().join(COMPOSE[2]);
        let file = file.to_string_lossy();
        let before = Before::find(&file).map_err(DockerFault::Failed)?;
        // Before they are started: they are stopped also if we are killed while they start.
        let undo = before.undo(services);
        let guards = undo.iter().map(|words| stopper(workspace, words));
        let guards = guards
            .collect::<Result<_, _>>()
            .map_err(DockerFault::Failed)?;
        let up = compose(workspace, &UP).args(services).status();
        match up {
            Ok(status) if status.success() => Ok(Self {
                running: before.running,
                _guards: guards,
            }),
            Ok(status) => Err(DockerFault::Failed(format!(
                "`docker compose up` failed ({status})"
            ))),
            Err(error) => Err(DockerFault::Failed(error.to_string())),
        }
    }

    /// Where the service is from, and what becomes of it.
    pub(super) fn told(&self, service: &str) -> String {
        let fate = if self.running.iter().any(|running| running == service) {
            "which runs already"
        } else {
            "stopped afterwards"
        };
        format!("Docker's of docker/compose.yml, {fate}")
    }
}

impl DockerFault {
    /// Whether Docker is there and failed, which is worth telling even if there is another way.
    pub(super) fn is_failure(&self) -> bool {
        matches!(self, Self::Failed(_))
    }
}

impl fmt::Display for DockerFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Absent(why) => write!(f, "no docker: {why}"),
            Self::Failed(why) => write!(f, "docker failed: {why}"),
        }
    }
}

impl Before {
    fn find(file: &str) -> Result<Self, String> {
        let services = |options: &[&str]| {
            let args = [&["compose", "--file", file, "ps", "--services"], options].concat();
            let names = ask("docker", &args)?;
            Ok::<_, String>(names.lines().map(str::to_owned).collect())
        };
        Ok(Self {
            running: services(&["--status", "running"])?,
            all: services(&["--all"])?,
        })
    }

    /// The calls of compose that bring this state back after these services were started.
    fn undo<'a>(&self, services: &[&'a str]) -> Vec<Vec<&'a str>> {
        let is_in = |names: &[String], service: &str| names.iter().any(|name| name == service);
        if self.all.is_empty() {
            return vec![vec!["down", "--volumes"]];
        }
        let (known, new): (Vec<&str>, Vec<&str>) = services
            .iter()
            .partition(|service| is_in(&self.all, service));
        let stopped: Vec<&str> = known
            .into_iter()
            .filter(|service| !is_in(&self.running, service))
            .collect();
        let calls = [
            (["rm", "--stop", "--force", "--volumes"].as_slice(), new),
            (["stop"].as_slice(), stopped),
        ];
        let calls = calls.into_iter().filter(|(_, names)| !names.is_empty());
        calls
            .map(|(words, names)| [words, &names].concat())
            .collect()
    }
}

/// A call of compose that shows what it does on standard error only.
fn compose(workspace: &Workspace, args: &[&str]) -> Command {
    let mut command = Command::new("docker");
    command
        .args(COMPOSE)
        .args(args)
        .current_dir(workspace.root());
    command.stdin(Stdio::null()).stdout(Stdio::null());
    command
}

/// Calls compose with these words when it is dropped.
fn stopper(workspace: &Workspace, undo: &[&str]) -> Result<Guard, String> {
    let mut shell = Command::new("sh");
    shell.args([
        "-c",
        "echo ready; cat >/dev/null; exec docker \"$@\" >/dev/null 2>&1",
        "sh",
    ]);
    shell.args(COMPOSE).args(undo).current_dir(workspace.root());
    Guard::start(&mut shell).map(|(guard, _)| guard)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_started_is_undone() {
        let undo = |running: &[&str], all: &[&str]| {
            let owned = |names: &[&str]| names.iter().copied().map(str::to_owned).collect();
            let before = Before {
                running: owned(running),
                all: owned(all),
            };
            let calls = before.undo(&["postgres", "nats"]);
            let calls = calls.iter().map(|words| words.join(" "));
            calls.collect::<Vec<_>>().join("; ")
        };
        assert_eq!(undo(&[], &[]), "down --volumes");
        assert_eq!(
            undo(&["postgres"], &["postgres"]),
            "rm --stop --force --volumes nats"
        );
        assert_eq!(
            undo(&[], &["nats"]),
            "rm --stop --force --volumes postgres; stop nats"
        );
        assert_eq!(undo(&["nats", "postgres"], &["nats", "postgres"]), "");
    }

    #[test]
    fn what_ran_before_is_told_apart() {
        let docker = Docker {
            running: vec!["nats".to_owned()],
            _guards: Vec::new(),
        };
        assert!(docker.told("nats").ends_with("which runs already"));
        assert!(docker.told("postgres").ends_with("stopped afterwards"));
    }

    #[test]
    fn no_docker_and_a_failing_docker_are_told_apart() {
        let absent = DockerFault::Absent("cannot connect".to_owned());
        let failed = DockerFault::Failed("no image".to_owned());
        assert_eq!(absent.to_string(), "no docker: cannot connect");
        assert_eq!(failed.to_string(), "docker failed: no image");
        assert!(failed.is_failure() && !absent.is_failure());
    }
}
