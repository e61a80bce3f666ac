//! `cargo xtask it`: the tests that need servers, and nothing else.

use super::{Outcome, Sequence};
use crate::server::{Product, Server};
use crate::step::Step;
use crate::workspace::Workspace;

/// The packages with such tests, and the tests' names.
const TESTS: [(&str, &str); 7] = [
    ("dvt-adapter-postgres", "it"),
    ("dvt-sink-nats", "it"),
    ("dvt-sink-rabbitmq", "it"),
    ("dvt-sink-webhook", "it"),
    ("dvt-cli", "postgres"),
    ("dvt-cli", "relay"),
    ("dvt-chaos", "it"),
];

/// Runs them on servers that are found or started; stops at the first failure.
pub(crate) fn run(workspace: &Workspace, args: &[String]) -> Outcome {
    let mut sequence = Sequence::start("it");
    steps(workspace, args, &mut sequence).map_or_else(|failed| failed, |()| sequence.finished())
}

fn steps(workspace: &Workspace, args: &[String], sequence: &mut Sequence) -> Result<(), Outcome> {
    let servers = sequence.servers(workspace, &Product::ALL)?;
    for (package, test) in TESTS {
        let step = Step::cargo(&format!("test --package {package} --test {test}")).lock(workspace);
        sequence.step(&with_servers(step, &servers).rest_args(args), workspace)?;
    }
    Ok(())
}

/// The step with the tests switched on that need these servers.
pub(super) fn with_servers(step: Step, servers: &[Server]) -> Step {
    servers
        .iter()
        .fold(step, |step, server| server.switch_on(step))
}
