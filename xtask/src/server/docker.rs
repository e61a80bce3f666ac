//! The server of docker/compose.yml.

use std::fmt;
use std::process::{Command, Stdio};

use super::ask::ask;
use super::url::Url;
use crate::guard::Guard;
use crate::workspace::Workspace;

/// How the compose file is named to Docker; the name of its project stands in it.
const COMPOSE: [&str; 3] = ["compose", "--file", "docker/compose.yml"];

/// The running server; stopped when this is dropped, if it did not run before.
#[derive(Debug)]
pub(super) struct Docker {
    guard: Option<Guard>,
}

/// Why there is no server of Docker's.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum DockerFault {
    /// No engine answers, or there is no plugin: this machine has no Docker for us.
    Absent(String),
    /// It is there, and did not do it.
    Failed(String),
}

/// What there was of the server before we came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Before {
    Nothing,
    Stopped,
    Running,
}

impl Docker {
    /// Starts the server unless it runs, and waits until it is healthy.
    ///
    /// # Errors
    ///
    /// Why not.
    pub(super) fn up(workspace: &Workspace) -> Result<Self, DockerFault> {
        ask("docker", &["version", "--format", "{{.Server.Version}}"])
            .map_err(DockerFault::Absent)?;
        ask("docker", &["compose", "version"]).map_err(DockerFault::Absent)?;
        let file = workspace.root().join(COMPOSE[2]);
        let file = file.to_string_lossy();
        let before = Before::find(&file).map_err(DockerFault::Failed)?;
        // Before it is started: it is stopped also if we are killed while it starts.
        let guard = before.undo().map(|undo| stopper(workspace, undo));
        let guard = guard.transpose().map_err(DockerFault::Failed)?;
        let up = compose(
            workspace,
            &[
                "up",
                "--detach",
                "--no-recreate",
                "--wait",
                "--wait-timeout",
                "120",
            ],
        )
        .status();
        match up {
            Ok(status) if status.success() => Ok(Self { guard }),
            Ok(status) => Err(DockerFault::Failed(format!(
                "`docker compose up` failed ({status})"
            ))),
            Err(error) => Err(DockerFault::Failed(error.to_string())),
        }
    }

    /// Where it answers: docker/compose.yml says so.
    pub(super) fn url(&self) -> Url {
        Url::new("postgresql://dvt:dvt@localhost:5432/dvt")
    }
}

impl fmt::Display for Docker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Docker's of docker/compose.yml, ")?;
        f.write_str(if self.guard.is_some() {
            "stopped afterwards"
        } else {
            "which runs already"
        })
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
        let containers = |options: &[&str]| {
            let args = [&["compose", "--file", file, "ps", "--quiet"], options].concat();
            ask("docker", &args)
        };
        let running = containers(&["--status", "running"])?;
        let all = containers(&["--all"])?;
        Ok(Self::of(&running, &all))
    }

    fn of(running: &str, all: &str) -> Self {
        match (running.is_empty(), all.is_empty()) {
            (false, _) => Self::Running,
            (true, false) => Self::Stopped,
            (true, true) => Self::Nothing,
        }
    }

    /// What brings this state back.
    fn undo(self) -> Option<&'static [&'static str]> {
        match self {
            Self::Nothing => Some(&["down", "--volumes"]),
            Self::Stopped => Some(&["stop"]),
            Self::Running => None,
        }
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
        assert_eq!(
            Before::of("", "").undo(),
            Some(["down", "--volumes"].as_slice())
        );
        assert_eq!(Before::of("", "1f3a").undo(), Some(["stop"].as_slice()));
        assert_eq!(Before::of("1f3a", "1f3a").undo(), None);
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
