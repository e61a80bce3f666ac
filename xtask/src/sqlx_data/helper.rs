//! Calls of `xtask-database`, the program that speaks with servers.

use std::path::Path;

use crate::finding::Finding;
use crate::guard::Guard;
use crate::scratch::Scratch;
use crate::server::{Server, Url};
use crate::step::Step;
use crate::workspace::Workspace;

/// The program, and the server that it speaks with if there is one.
#[derive(Debug)]
pub(super) struct Helper<'a> {
    pub(super) workspace: &'a Workspace,
    server: Option<&'a Server>,
}

/// A database with an adapter's tables, gone when this is dropped.
#[derive(Debug)]
pub(super) struct Database {
    url: Url,
    _kept: Kept,
}

/// What a database lasts as long as.
#[derive(Debug)]
#[expect(dead_code, reason = "they are held to be dropped")]
enum Kept {
    Server(Guard),
    File(Scratch),
}

impl<'a> Helper<'a> {
    /// Builds the program.
    ///
    /// # Errors
    ///
    /// A finding if it does not compile.
    pub(super) fn build(
        workspace: &'a Workspace,
        server: Option<&'a Server>,
    ) -> Result<Self, Finding> {
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
                let message = match self.server {
                    Some(server) => format!("cannot ask the server for its version: {server}"),
                    None => "names no server".to_owned(),
                };
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
        let server = self
            .server
            .map_or_else(|| Url::new(""), |server| server.url().clone());
        Ok(Database {
            url: server.with_database(&name, "dvt,pg_temp"),
            _kept: Kept::Server(guard),
        })
    }

    /// A new file of SQLite with these migrations (a directory relative to the root).
    ///
    /// # Errors
    ///
    /// A finding if it cannot be made or a migration fails.
    pub(super) fn file(&self, migrations: &Path) -> Result<Database, Finding> {
        let fault = || Finding::file(migrations, "cannot be applied to a new file");
        let scratch = Scratch::new().map_err(|_| fault())?;
        let file = scratch.root().join("prepare.db");
        let call = self.call("file").rest_args([migrations, &file]);
        call.output(self.workspace).ok_or_else(fault)?;
        Ok(Database {
            url: Url::new(format!("sqlite://{}", file.display())),
            _kept: Kept::File(scratch),
        })
    }

    fn call(&self, command: &str) -> Step {
        let call =
            Step::cargo("run --quiet --package xtask --features database --bin xtask-database")
                .lock(self.workspace)
                .rest(command);
        match self.server {
            Some(server) => call.env_url("DATABASE_URL", server.url()),
            None => call,
        }
    }
}

impl Database {
    /// Where the adapter's unqualified names are found.
    pub(super) fn url(&self) -> &Url {
        &self.url
    }
}
