//! `cargo xtask bench`: how fast the stores are, as ratios to hand-written baselines.

use super::{Outcome, Sequence};
use crate::server::Server;
use crate::step::Step;
use crate::workspace::Workspace;

/// Hands the arguments on to `dvt-bench`, with a PostgreSQL server that does nothing else.
pub(crate) fn run(workspace: &Workspace, args: &[String]) -> Outcome {
    let mut sequence = Sequence::start("bench");
    steps(workspace, args, &mut sequence).map_or_else(|failed| failed, |()| sequence.finished())
}

fn steps(workspace: &Workspace, args: &[String], sequence: &mut Sequence) -> Result<(), Outcome> {
    let build = Step::cargo("build --release --package dvt-bench").lock(workspace);
    sequence.step(&build, workspace)?;
    // Help, and whatever is wrong with the arguments, needs no server.
    let measure = Step::cargo("run --release --quiet --package dvt-bench").lock(workspace);
    let measure = measure.rest_args(args);
    if args
        .iter()
        .any(|arg| matches!(arg.as_str(), "--help" | "-h"))
    {
        return sequence.step(&measure, workspace);
    }
    let server = Server::of_our_own().map_err(|fault| {
        eprintln!("{fault}");
        sequence.failed("server")
    })?;
    let measure = measure.env_url("DATABASE_URL", server.url());
    sequence.step(&measure, workspace)
}
