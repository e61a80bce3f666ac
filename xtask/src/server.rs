//! A PostgreSQL server for tests: one that is there, or one that lives as long as we need it.

mod ask;
mod binaries;
mod cluster;
mod docker;
mod url;
mod user;

use std::fmt;

use self::binaries::Binaries;
use self::cluster::Cluster;
use self::docker::Docker;
pub(crate) use self::url::Url;
use crate::workspace::Workspace;

/// A server that answers until this is dropped.
#[derive(Debug)]
pub(crate) struct Server {
    url: Url,
    kind: Kind,
}

/// Where the server is from, and what ends it.
#[derive(Debug)]
enum Kind {
    /// The user's own.
    Given,
    /// Of docker/compose.yml.
    Docker(Docker),
    /// Started from binaries in this folder.
    Cluster(
        Binaries,
        #[expect(dead_code, reason = "it is there to be dropped")] Cluster,
    ),
}

impl Server {
    /// Finds a server, in the order of the README, and says in one line which.
    ///
    /// # Errors
    ///
    /// A text that names all the ways to have one, and why each of them is none.
    pub(crate) fn find(workspace: &Workspace) -> Result<Self, String> {
        let found = Self::given().map_or_else(|| Self::started(workspace), Ok)?;
        println!("→ server: {found}");
        Ok(found)
    }

    /// Finds a server whose major version may be this one: the given one, or one from binaries of that version.
    ///
    /// # Errors
    ///
    /// A sentence about what is missing.
    pub(crate) fn of_major(major: u32) -> Result<Self, String> {
        if let Some(given) = Self::given() {
            return Ok(given);
        }
        let binaries = binaries::of_major(major)?.ok_or_else(|| {
            format!("no DATABASE_URL is set and no binaries of PostgreSQL {major} are found")
        })?;
        Self::cluster(binaries)
    }

    /// Where it answers.
    pub(crate) fn url(&self) -> &Url {
        &self.url
    }

    fn given() -> Option<Self> {
        let url = Url::from_environment()?;
        Some(Self {
            url,
            kind: Kind::Given,
        })
    }

    fn started(workspace: &Workspace) -> Result<Self, String> {
        // Who names a folder wants the server from there, whatever else there is.
        if let Some(binaries) = Binaries::named()? {
            return Self::cluster(binaries);
        }
        let docker = match Docker::up(workspace) {
            Ok(docker) => {
                let url = docker.url();
                return Ok(Self {
                    url,
                    kind: Kind::Docker(docker),
                });
            }
            Err(fault) => fault,
        };
        if let Some(binaries) = binaries::newest() {
            if docker.is_failure() {
                eprintln!("  {docker}; going on without it");
            }
            return Self::cluster(binaries);
        }
        Err(format!(
            "no PostgreSQL server is at hand; any one of these will do:\n\
             1. DATABASE_URL=postgresql://user:password@host:port/database (it is not set)\n\
             2. Docker with its compose plugin, which runs docker/compose.yml ({docker})\n\
             3. PostgreSQL's own programs initdb, pg_ctl and postgres: on the PATH, where a package puts them, or in the folder \
             that DVT_PG_BIN names (none are found; on Debian and Ubuntu: apt-get install postgresql)"
        ))
    }

    fn cluster(binaries: Binaries) -> Result<Self, String> {
        let cluster = Cluster::start(&binaries)?;
        let url = cluster.url();
        Ok(Self {
            url,
            kind: Kind::Cluster(binaries, cluster),
        })
    }
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            Kind::Given => write!(f, "DATABASE_URL={}", self.url),
            Kind::Docker(docker) => write!(f, "{docker}, {}", self.url),
            Kind::Cluster(binaries, _) => {
                write!(f, "a cluster of its own from {binaries}, {}", self.url)
            }
        }
    }
}
