//! `cargo xtask prepare`: writes `.sqlx` anew, or checks it.

use super::{Outcome, Sequence};
use crate::finding::Findings;
use crate::server::Product;
use crate::sqlx_data::{self, Verdict};
use crate::workspace::Workspace;

/// Writes the data of the query macros by a server that is found or started.
pub(crate) fn run(workspace: &Workspace) -> Outcome {
    let mut sequence = Sequence::start("prepare");
    let servers = match sequence.servers(workspace, &[Product::Postgres]) {
        Ok(servers) => servers,
        Err(failed) => return failed,
    };
    let written = servers
        .iter()
        .try_for_each(|server| sqlx_data::write(workspace, server));
    match written {
        Ok(()) => {
            sequence.done += 1;
            sequence.finished()
        }
        Err(findings) => stale(&sequence, findings),
    }
}

/// Tells whether the data is what a server of its version says; a server of another version says nothing.
pub(crate) fn check(workspace: &Workspace) -> Outcome {
    let mut sequence = Sequence::start("prepare --check");
    match sqlx_data::check(workspace) {
        Verdict::Same => {
            sequence.done += 1;
            sequence.finished()
        }
        Verdict::Stale(findings) => stale(&sequence, findings),
        Verdict::NotRun(reason) => {
            println!("– prepare --check: not run: {reason}");
            Outcome::Ok
        }
    }
}

fn stale(sequence: &Sequence, findings: Findings) -> Outcome {
    for finding in findings {
        eprintln!("  {finding}");
    }
    sequence.failed("data of the query macros")
}
