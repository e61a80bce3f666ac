//! Calls of `xtask-database`, the program that speaks with servers.

use std::path::Path;

use crate::finding::Finding;
use crate::guard::Guard;
use crate::server::{Server, Url};
use crate::step::Step;
use crate::workspace::Workspace;

/// The program, and the server that it speaks with.
#[derive(Debug)]
pub(super) struct Helper<'a> {
    pub(super) workspace: &'a Workspace,
    server: &'a Server,
}

/// A database with an adapter's tables, dropped when this is.
#[derive(Debug)]
pub(super) struct Database {
    url: Url,
    _guard: Guard,
}

impl<'a> Helper<'a> {
    /// Builds the program.
    ///
    /// # Errors
    ///
    /// A finding if it does not compile.
    pub(super) fn build(workspace: &'a Workspace, server: &'a Server) -> Result<Self, Finding> {
        let build = Step::cargo("build --package xtask --features database --bin xtask-database")
            .lock(workspace);
        if build.run(workspace) {
            return Ok(Self { workspace, server });
        }
        Err(Finding::file(
            Path::new("xtask"),
            "does not compile with `--features database`",
        ))
    }

    /// The server's major version.
    ///
    /// # Errors
    ///
    /// A finding if the server does not answer.
    pub(super) fn major(&self) -> Result<u32, Finding> {
        let answer = self.call("major").output(self.workspace);
        answer
            .and_then(|text| text.trim().parse().ok())
            .ok_or_else(|| {
                let message = format!("cannot ask the server for its version: {}", self.server);
                Finding::file(Path::new("DATABASE_URL"), message)
            })
    }

    /// A new database with these migrations (a directory relative to the root).
    ///
    /// # Errors
    ///
    /// A finding if it cannot be made or a migration fails.
    pub(super) fn database(&self, migrations: &Path) -> Result<Database, Finding> {
        let call = self.call("scratch").rest_args([migrations]);
        let (guard, name) = Guard::start(&mut call.command(self.workspace)).map_err(|_| {
            Finding::file(
                migrations,
                "cannot be applied to a new database of the server",
            )
        })?;
        let url = self.server.url().with_database(&name, "dvt,pg_temp");
        Ok(Database { url, _guard: guard })
    }

    fn call(&self, command: &str) -> Step {
        Step::cargo("run --quiet --package xtask --features database --bin xtask-database")
            .lock(self.workspace)
            .rest(command)
            .env_url("DATABASE_URL", self.server.url())
    }
}

impl Database {
    /// Where the adapter's unqualified names are found.
    pub(super) fn url(&self) -> &Url {
        &self.url
    }
}
