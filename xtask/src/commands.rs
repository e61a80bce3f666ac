//! The commands behind `cargo xtask`.

pub(crate) mod bench;
pub(crate) mod chaos;
pub(crate) mod fix;
pub(crate) mod it;
pub(crate) mod lint;
pub(crate) mod migrate;
pub(crate) mod prepare;
pub(crate) mod test;

use std::time::Instant;

use crate::server::{Product, Server};
use crate::step::{Step, seconds};
use crate::workspace::Workspace;

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// All went well.
    Ok,
    /// Something failed, and was told.
    Failed,
}

/// Steps of one command that make no sense after a failure: the first one ends the command.
#[derive(Debug)]
struct Sequence {
    command: &'static str,
    started: Instant,
    done: usize,
}

impl Sequence {
    /// Starts the command's clock.
    fn start(command: &'static str) -> Self {
        Self {
            command,
            started: Instant::now(),
            done: 0,
        }
    }

    /// Runs a step.
    ///
    /// # Errors
    ///
    /// `Outcome::Failed`, after the summary line, if the step failed.
    fn step(&mut self, step: &Step, workspace: &Workspace) -> Result<(), Outcome> {
        if step.run(workspace) {
            self.done += 1;
            return Ok(());
        }
        Err(self.failed(&step.name()))
    }

    /// Finds or starts a server of each of these products.
    ///
    /// # Errors
    ///
    /// `Outcome::Failed`, after the ways to have what is missing and the summary line.
    fn servers(&self, workspace: &Workspace, products: &[Product]) -> Result<Vec<Server>, Outcome> {
        Server::find(workspace, products).map_err(|fault| {
            eprintln!("{fault}");
            self.failed("servers")
        })
    }

    /// The summary line of a command that failed.
    fn failed(&self, what: &str) -> Outcome {
        let Self { command, done, .. } = self;
        let time = seconds(self.started.elapsed());
        println!("✗ {command} failed at: {what} ({done} steps before it passed, {time})");
        Outcome::Failed
    }

    /// The summary line of a command that went well.
    fn finished(&self) -> Outcome {
        let Self { command, done, .. } = self;
        println!(
            "✓ {command}: {done} {} passed in {}",
            if *done == 1 { "step" } else { "steps" },
            seconds(self.started.elapsed())
        );
        Outcome::Ok
    }
}
