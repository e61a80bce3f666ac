//! `cargo xtask fix`: the twin of lint that writes.

use super::{Outcome, Sequence};
use crate::conformance::Suite;
use crate::reference;
use crate::step::Step;
use crate::workspace::Workspace;

/// Mends what can be mended without thinking; stops at the first failure.
pub(crate) fn run(workspace: &Workspace) -> Outcome {
    let mut sequence = Sequence::start("fix");
    steps(workspace, &mut sequence).map_or_else(|failed| failed, |()| sequence.finished())
}

fn steps(workspace: &Workspace, sequence: &mut Sequence) -> Result<(), Outcome> {
    // Clippy goes first, since what it writes is not formatted.
    let clippy = "clippy --fix --allow-dirty --allow-staged --allow-no-vcs --all-targets";
    sequence.step(
        &Step::cargo(&format!("{clippy} --workspace --features xtask/database")),
        workspace,
    )?;
    sequence.step(&Step::cargo("fmt --all"), workspace)?;
    for example in workspace.examples().unwrap_or_default() {
        // This one also brings the example's lock file up to date.
        let clippy = Step::cargo(clippy).within(&example).target_dir(workspace);
        sequence.step(&clippy, workspace)?;
        sequence.step(&Step::cargo("fmt").within(&example), workspace)?;
    }
    case_table(workspace, sequence)?;
    command_reference(workspace, sequence)?;
    let matrix = Step::cargo("test --package dvt-conformance --test kill_matrix")
        .env("DVT_UPDATE_KILL_MATRIX", "1");
    sequence.step(&matrix, workspace)
}

/// Writes the case table anew.
fn case_table(workspace: &Workspace, sequence: &mut Sequence) -> Result<(), Outcome> {
    println!("→ case table");
    let written = Suite::read(workspace.root()).and_then(|suite| suite.write_table());
    written.map_err(|findings| {
        for finding in findings {
            eprintln!("  {finding}");
        }
        sequence.failed("case table")
    })?;
    sequence.done += 1;
    Ok(())
}

/// Writes the reference of the command anew.
fn command_reference(workspace: &Workspace, sequence: &mut Sequence) -> Result<(), Outcome> {
    println!("→ command reference");
    reference::write(workspace).map_err(|finding| {
        eprintln!("  {finding}");
        sequence.failed("command reference")
    })?;
    sequence.done += 1;
    Ok(())
}
