//! `cargo xtask test`: everything that runs.

use super::it::with_servers;
use super::{Outcome, Sequence};
use crate::server::Product;
use crate::step::Step;
use crate::workspace::Workspace;

/// Tests the workspace with the tests that need servers, then each example; stops at the first failure.
pub(crate) fn run(workspace: &Workspace) -> Outcome {
    let mut sequence = Sequence::start("test");
    steps(workspace, &mut sequence).map_or_else(|failed| failed, |()| sequence.finished())
}

fn steps(workspace: &Workspace, sequence: &mut Sequence) -> Result<(), Outcome> {
    let servers = sequence.servers(workspace, &Product::ALL)?;
    // No `--all-targets`: with it cargo leaves the doctests out.
    let all = Step::cargo("test --workspace").lock(workspace);
    sequence.step(&with_servers(all, &servers), workspace)?;
    drop(servers);
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
