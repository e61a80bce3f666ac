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
    // Of a quick run the figures mean nothing, so it takes what the tests have built.
    let quick = args.iter().any(|arg| arg == "--quick");
    let profile = if quick { "" } else { "--release" };
    let build = Step::cargo(&format!("build {profile} --package dvt-bench"));
    sequence.step(&build.lock(workspace), workspace)?;
    // Help, and whatever is wrong with the arguments, needs no server.
    let measure = Step::cargo(&format!("run {profile} --quiet --package dvt-bench"));
    let measure = measure.lock(workspace);
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
