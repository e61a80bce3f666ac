//! `cargo xtask chaos`: writers and relays against a nemesis, and a checker of what is left.

use super::{Outcome, Sequence};
use crate::server::postgres_programs;
use crate::step::Step;
use crate::workspace::Workspace;

/// Hands the arguments on to `dvt-chaos`, which starts, stops and kills servers of its own.
pub(crate) fn run(workspace: &Workspace, args: &[String]) -> Outcome {
    let mut sequence = Sequence::start("chaos");
    steps(workspace, args, &mut sequence).map_or_else(|failed| failed, |()| sequence.finished())
}

fn steps(workspace: &Workspace, args: &[String], sequence: &mut Sequence) -> Result<(), Outcome> {
    // A build of its own for bugs on purpose: no other program has them in it.
    let planted = args.iter().any(|arg| arg.starts_with("--planted"));
    let features = if planted { "--features planted" } else { "" };
    let profile = if args.iter().any(|arg| arg == "--release") {
        "--release"
    } else {
        ""
    };
    let args: Vec<String> = args
        .iter()
        .filter(|arg| *arg != "--release")
        .cloned()
        .collect();
    let build = format!("build {profile} --package dvt-chaos {features}");
    sequence.step(&Step::cargo(&build).lock(workspace), workspace)?;
    let run = format!("run {profile} --quiet --package dvt-chaos {features}");
    let fight = Step::cargo(&run)
        .lock(workspace)
        .rest("run")
        .rest_args(args.clone());
    // Help, and whatever is wrong with the arguments, needs no server.
    if args
        .iter()
        .any(|arg| matches!(arg.as_str(), "--help" | "-h"))
    {
        return sequence.step(&fight, workspace);
    }
    let programs = postgres_programs().map_err(|fault| {
        eprintln!("{fault}");
        sequence.failed("server")
    })?;
    sequence.step(&fight.env("DVT_PG_BIN", programs), workspace)
}
