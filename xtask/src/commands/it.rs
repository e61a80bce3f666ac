//! `cargo xtask it`: the tests that need a PostgreSQL server, and nothing else.

use super::{Outcome, Sequence};
use crate::server::Server;
use crate::step::Step;
use crate::workspace::Workspace;

/// The packages with such tests, and the tests' names.
const TESTS: [(&str, &str); 2] = [("dvt-adapter-postgres", "it"), ("dvt-cli", "postgres")];

/// Runs them on a server that is found or started; stops at the first failure.
pub(crate) fn run(workspace: &Workspace, args: &[String]) -> Outcome {
    let mut sequence = Sequence::start("it");
    steps(workspace, args, &mut sequence).map_or_else(|failed| failed, |()| sequence.finished())
}

fn steps(workspace: &Workspace, args: &[String], sequence: &mut Sequence) -> Result<(), Outcome> {
    let server = sequence.server(workspace)?;
    for (package, test) in TESTS {
        let step = Step::cargo(&format!("test --package {package} --test {test}")).lock(workspace);
        sequence.step(&with_server(step, &server).rest_args(args), workspace)?;
    }
    Ok(())
}

/// The step with its tests of PostgreSQL switched on, which then fail without a server.
pub(super) fn with_server(step: Step, server: &Server) -> Step {
    step.env("DVT_PG_INTEGRATION", "1")
        .env_url("DATABASE_URL", server.url())
}
