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

/// What the queries of an adapter are checked by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Engine {
    /// A server, which must be found or started.
    Postgres,
    /// A file, made where it is needed.
    Sqlite,
}

impl Engine {
    const ALL: [Self; 2] = [Self::Postgres, Self::Sqlite];

    /// The variable that the macros of such an adapter read, by its `sqlx.toml`.
    fn variable(self) -> &'static str {
        match self {
            Self::Postgres => "DVT_SQLX_POSTGRES_URL",
            Self::Sqlite => "DVT_SQLX_SQLITE_URL",
        }
    }
}

/// A crate with a `sqlx.toml`.
#[derive(Debug)]
pub(super) struct Adapter {
    dir: PathBuf,
    pub(super) engine: Engine,
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
        let adapters: Result<Vec<_>, _> = dirs.map(|dir| Self::of(root, dir)).collect();
        let mut adapters = adapters?;
        // The tests of others are compiled with those in a file, whose own data must be there by then.
        adapters.sort_by_key(|adapter| adapter.engine != Engine::Sqlite);
        Ok(adapters)
    }

    fn of(root: &Path, dir: PathBuf) -> Result<Self, Finding> {
        let settings = files::read(root, &dir.join("sqlx.toml"))?;
        let settings_path = settings.path.clone();
        let manifest = Manifest::parse(&settings.text);
        let found = manifest.text(&["common", "database-url-var"]);
        let engine = Engine::ALL
            .into_iter()
            .find(|engine| found == Some(engine.variable()));
        engine.map(|engine| Self { dir, engine }).ok_or_else(|| {
            let known = Engine::ALL.map(Engine::variable).join("\" or \"");
            let found = found.unwrap_or("none");
            let message =
                format!("expected database-url-var = \"{known}\" in [common], found {found}");
            Finding::file(&settings_path, message)
        })
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
    pub(super) fn prepare(&self, helper: &Helper<'_>) -> Result<Data, Finding> {
        let workspace = helper.workspace;
        let fault = |error: io::Error| {
            Finding::file(&self.dir, format!("cannot prepare its data: {error}"))
        };
        let migrations = self.dir.join("migrations");
        let scratch = Scratch::new().map_err(fault)?;
        let (database, major) = match self.engine {
            Engine::Postgres => (helper.database(&migrations)?, Some(helper.major()?)),
            Engine::Sqlite => (helper.file(&migrations)?, None),
        };
        // Cargo does not see that the macros would read something else now.
        self.touch(workspace.root()).map_err(fault)?;
        let package = self.dir.file_name().unwrap_or_default().to_string_lossy();
        let check = Step::cargo(&format!("check --package {package} --lib --tests"))
            .lock(workspace)
            .env("SQLX_OFFLINE", "false")
            .env("SQLX_OFFLINE_DIR", scratch.root().to_string_lossy())
            .env_url(self.engine.variable(), database.url());
        if !check.run(workspace) {
            return Err(Finding::file(
                &self.dir,
                "does not compile against a database with its migrations",
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
            ("crates/c/Cargo.toml", ""),
            (
                "crates/c/sqlx.toml",
                "[common]\ndatabase-url-var = \"DVT_SQLX_SQLITE_URL\"\n",
            ),
        ]);
        let mut found = Adapter::all(scratch.root()).unwrap();
        found.sort_by(|one, other| one.dir.cmp(&other.dir));
        let found: Vec<_> = found
            .into_iter()
            .map(|adapter| (adapter.engine, adapter.into_dir()))
            .collect();
        let expected = [
            (Engine::Postgres, PathBuf::from("crates/a")),
            (Engine::Sqlite, PathBuf::from("crates/c")),
        ];
        assert_eq!(found, expected);
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
            "crates/a/sqlx.toml: expected database-url-var = \"DVT_SQLX_POSTGRES_URL\" or \"DVT_SQLX_SQLITE_URL\" in [common], \
             found ELSE"
        );
    }
}
