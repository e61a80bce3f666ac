//! `cargo xtask migrate`: what `dvt migrate` does, from the sources.

use crate::step::Step;
use crate::workspace::Workspace;

/// Hands the arguments on and returns the command's exit code. Says nothing of its own: the output may go into a file.
pub(crate) fn run(workspace: &Workspace, args: &[String]) -> u8 {
    let dvt = Step::cargo("run --quiet --package dvt-cli").lock(workspace);
    dvt.rest("migrate").rest_args(args).silent_run(workspace)
}
