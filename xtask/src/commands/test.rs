//! `cargo xtask test`: everything that runs.

use super::{Outcome, Sequence};
use crate::step::Step;
use crate::workspace::Workspace;

/// Tests the workspace, then each example; stops at the first failure.
pub(crate) fn run(workspace: &Workspace) -> Outcome {
    let mut sequence = Sequence::start("test");
    steps(workspace, &mut sequence).map_or_else(|failed| failed, |()| sequence.finished())
}

fn steps(workspace: &Workspace, sequence: &mut Sequence) -> Result<(), Outcome> {
    // No `--all-targets`: with it cargo leaves the doctests out.
    sequence.step(&Step::cargo("test --workspace").lock(workspace), workspace)?;
    let examples = workspace
        .examples()
        .map_err(|finding| sequence.failed(&finding.to_string()))?;
    for example in examples {
        let test = Step::cargo("test")
            .within(&example)
            .target_dir(workspace)
            .lock(workspace);
        sequence.step(&test, workspace)?;
    }
    Ok(())
}
