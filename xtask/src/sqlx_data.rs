//! What the query macros know about the database without asking it: `crates/<adapter>/.sqlx`.

mod adapter;
mod data;
mod helper;

use std::path::Path;

use self::adapter::{Adapter, Engine};
use self::data::Data;
use self::helper::Helper;
use crate::finding::{Finding, Findings};
use crate::server::Server;
use crate::workspace::Workspace;

/// How a comparison of the committed data with fresh data ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// They are the same.
    Same,
    /// They differ, or fresh data cannot be had though a server is there.
    Stale(Findings),
    /// Nothing was compared, for this reason.
    NotRun(String),
}

/// Writes the data of all adapters anew, with what the server says. Nothing is written for an adapter that does not compile.
///
/// # Errors
///
/// Findings about the first adapter that failed; what cargo has to say stands on standard error by then.
pub(crate) fn write(workspace: &Workspace, server: &Server) -> Result<(), Findings> {
    let helper = Helper::build(workspace, Some(server)).map_err(one)?;
    for adapter in Adapter::all(workspace.root()).map_err(one)? {
        let fresh = adapter.prepare(&helper).map_err(one)?;
        fresh
            .write(workspace.root(), &adapter.data_dir())
            .map_err(one)?;
        println!("  {}: {}", adapter.data_dir().display(), fresh.summary());
    }
    Ok(())
}

/// Compares the data of all adapters with what a server says that has the major version which they were made with.
/// Writes nothing into the tree.
pub(crate) fn check(workspace: &Workspace) -> Verdict {
    let adapters = match Adapter::all(workspace.root()) {
        Ok(adapters) => adapters,
        Err(finding) => return Verdict::Stale(vec![finding]),
    };
    let mut stale = Vec::new();
    let mut reasons = Vec::new();
    for adapter in adapters {
        match compare(workspace, &adapter) {
            Verdict::Same => {}
            Verdict::Stale(findings) => stale.extend(findings),
            Verdict::NotRun(reason) => reasons.push(reason),
        }
    }
    match (stale.is_empty(), reasons.is_empty()) {
        (true, true) => Verdict::Same,
        (true, false) => Verdict::NotRun(reasons.join("; ")),
        (false, _) => Verdict::Stale(stale),
    }
}

fn compare(workspace: &Workspace, adapter: &Adapter) -> Verdict {
    let dir = adapter.data_dir();
    let committed = match Data::read(workspace.root(), &dir, adapter.engine == Engine::Postgres) {
        Ok(Some(committed)) => committed,
        Ok(None) => {
            return Verdict::NotRun(format!(
                "there is no {}: `cargo xtask prepare` writes it",
                dir.display()
            ));
        }
        Err(finding) => return Verdict::Stale(vec![finding]),
    };
    match committed.major() {
        Some(wanted) => compare_with_server(workspace, adapter, &committed, wanted),
        None => match Helper::build(workspace, None) {
            Ok(helper) => compare_by(&helper, adapter, &committed),
            Err(finding) => Verdict::Stale(vec![finding]),
        },
    }
}

fn compare_with_server(
    workspace: &Workspace,
    adapter: &Adapter,
    committed: &Data,
    wanted: u32,
) -> Verdict {
    let dir = adapter.data_dir();
    let not_run = |reason: String| {
        Verdict::NotRun(format!(
            "{reason}; {} is of PostgreSQL {wanted}",
            dir.display()
        ))
    };
    let server = match Server::of_major(wanted) {
        Ok(server) => server,
        Err(reason) => return not_run(reason),
    };
    let helper = match Helper::build(workspace, Some(&server)) {
        Ok(helper) => helper,
        Err(finding) => return Verdict::Stale(vec![finding]),
    };
    match helper.major() {
        Ok(major) if major == wanted => compare_by(&helper, adapter, committed),
        Ok(major) => not_run(format!("the server at hand is PostgreSQL {major}")),
        Err(_) => not_run(format!("{server} does not answer")),
    }
}

fn compare_by(helper: &Helper<'_>, adapter: &Adapter, committed: &Data) -> Verdict {
    match adapter.prepare(helper) {
        Ok(fresh) => match committed.differences(&fresh, &adapter.data_dir()) {
            findings if findings.is_empty() => Verdict::Same,
            findings => Verdict::Stale(findings),
        },
        Err(finding) => Verdict::Stale(vec![finding]),
    }
}

/// The only finding about something.
fn one(finding: Finding) -> Findings {
    vec![finding]
}

/// The directories in `crates/` with a `sqlx.toml`, relative to the root.
///
/// # Errors
///
/// A finding if they cannot be listed.
pub(crate) fn crates_with_queries(root: &Path) -> Result<Vec<std::path::PathBuf>, Finding> {
    Ok(Adapter::all(root)?
        .into_iter()
        .map(Adapter::into_dir)
        .collect())
}
