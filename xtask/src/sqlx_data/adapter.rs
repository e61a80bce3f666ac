//! A crate with queries that the compiler checks.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::data::Data;
use super::helper::Helper;
use crate::finding::Finding;
use crate::scratch::Scratch;
use crate::step::Step;
use crate::text::files;
use crate::text::manifest::Manifest;
use crate::workspace::crates_in;

/// The variable that the macros of a PostgreSQL adapter read, by its `sqlx.toml`. Other databases will have others.
const POSTGRES: &str = "DVT_SQLX_POSTGRES_URL";

/// A crate with a `sqlx.toml`.
#[derive(Debug)]
pub(super) struct Adapter {
    dir: PathBuf,
}

impl Adapter {
    /// All of them.
    ///
    /// # Errors
    ///
    /// A finding if the crates cannot be listed, or one is for a database that we know no server of.
    pub(super) fn all(root: &Path) -> Result<Vec<Self>, Finding> {
        let crates = Path::new("crates");
        let dirs = crates_in(root, crates).map_err(|error| {
            Finding::file(crates, format!("cannot read the directory: {error}"))
        })?;
        let dirs = dirs
            .into_iter()
            .filter(|dir| root.join(dir).join("sqlx.toml").is_file());
        dirs.map(|dir| Self::of(root, dir)).collect()
    }

    fn of(root: &Path, dir: PathBuf) -> Result<Self, Finding> {
        let settings = files::read(root, &dir.join("sqlx.toml"))?;
        match Manifest::parse(&settings.text).text(&["common", "database-url-var"]) {
            Some(POSTGRES) => Ok(Self { dir }),
            found => {
                let found = found.unwrap_or("none");
                let message = format!(
                    "expected database-url-var = \"{POSTGRES}\" in [common], found {found}"
                );
                Err(Finding::file(&settings.path, message))
            }
        }
    }

    /// Where the crate is, relative to the root.
    pub(super) fn into_dir(self) -> PathBuf {
        self.dir
    }

    /// Where its data is, relative to the root.
    pub(super) fn data_dir(&self) -> PathBuf {
        self.dir.join(".sqlx")
    }

    /// Makes its data anew: compiles it against a database with its migrations.
    ///
    /// # Errors
    ///
    /// A finding if a migration fails or the crate does not compile; why stands on standard error by then.
    pub(super) fn prepare(&self, helper: &Helper<'_>, major: u32) -> Result<Data, Finding> {
        let workspace = helper.workspace;
        let fault = |error: io::Error| {
            Finding::file(&self.dir, format!("cannot prepare its data: {error}"))
        };
        let database = helper.database(&self.dir.join("migrations"))?;
        let scratch = Scratch::new().map_err(fault)?;
        // Cargo does not see that the macros would read something else now.
        self.touch(workspace.root()).map_err(fault)?;
        let package = self.dir.file_name().unwrap_or_default().to_string_lossy();
        let check = Step::cargo(&format!("check --package {package} --lib --tests"))
            .lock(workspace)
            .env("SQLX_OFFLINE", "false")
            .env("SQLX_OFFLINE_DIR", scratch.root().to_string_lossy())
            .env_url(POSTGRES, database.url());
        if !check.run(workspace) {
            return Err(Finding::file(
                &self.dir,
                "does not compile against a server with its migrations",
            ));
        }
        Data::made(scratch.root(), major)
    }

    /// Makes the sources newer than what was compiled from them.
    fn touch(&self, root: &Path) -> io::Result<()> {
        let now = SystemTime::now();
        for dir in ["src", "tests"] {
            let sources = files::rust_files(root, &self.dir.join(dir)).unwrap_or_default();
            for source in sources {
                File::options()
                    .append(true)
                    .open(root.join(&source.path))?
                    .set_modified(now)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scratch::Scratch;

    #[test]
    fn adapters_are_the_crates_with_settings() {
        let scratch = Scratch::with(&[
            ("crates/a/Cargo.toml", ""),
            (
                "crates/a/sqlx.toml",
                "[common]\ndatabase-url-var = \"DVT_SQLX_POSTGRES_URL\"\n",
            ),
            ("crates/b/Cargo.toml", ""),
        ]);
        let found = Adapter::all(scratch.root()).unwrap();
        let dirs: Vec<_> = found.into_iter().map(Adapter::into_dir).collect();
        assert_eq!(dirs, [PathBuf::from("crates/a")]);
    }

    #[test]
    fn a_database_without_a_server_of_ours_is_told() {
        let scratch = Scratch::with(&[
            ("crates/a/Cargo.toml", ""),
            (
                "crates/a/sqlx.toml",
                "[common]\ndatabase-url-var = \"ELSE\"\n",
            ),
        ]);
        let finding = Adapter::all(scratch.root()).unwrap_err().to_string();
        assert_eq!(
            finding,
            "crates/a/sqlx.toml: expected database-url-var = \"DVT_SQLX_POSTGRES_URL\" in [common], found ELSE"
        );
    }
}
