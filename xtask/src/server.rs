//! Servers for tests: those that are there, or those that live as long as we need them.

mod ask;
mod binaries;
mod docker;
mod greeting;
mod own;
mod product;
mod url;
mod user;

use std::fmt;
use std::rc::Rc;

use self::binaries::Binaries;
use self::docker::{Docker, DockerFault};
use self::own::Own;
pub(crate) use self::product::Product;
pub(crate) use self::url::Url;
use crate::step::Step;
use crate::workspace::Workspace;

/// A server that answers until this is dropped.
#[derive(Debug)]
pub(crate) struct Server {
    product: Product,
    url: Url,
    source: Source,
}

/// Where the server is from, and what ends it.
#[derive(Debug)]
enum Source {
    /// The user's own.
    Given,
    /// Of docker/compose.yml; one call starts and stops all its services.
    Docker(Rc<Docker>),
    /// Started from programs in this folder.
    Own(
        Binaries,
        #[expect(dead_code, reason = "it is there to be dropped")] Own,
    ),
}

impl Server {
    /// Finds a server of each of these products, in the order of the README, and says in a line which.
    ///
    /// # Errors
    ///
    /// A text that names all the ways to have each that is missing, and why each of them is none.
    pub(crate) fn find(workspace: &Workspace, products: &[Product]) -> Result<Vec<Self>, String> {
        let mut found = Vec::new();
        let mut wanted = Vec::new();
        for &product in products {
            // Who names a folder wants the server from there, whatever else there is.
            if let Some(given) = Self::given(product) {
                found.push(given);
            } else if let Some(binaries) = Binaries::named(product)? {
                found.push(Self::own(product, binaries)?);
            } else {
                wanted.push(product);
            }
        }
        if !wanted.is_empty() {
            found.extend(Self::started(workspace, &wanted)?);
        }
        for server in &found {
            println!("→ server: {server}");
        }
        Ok(found)
    }

    /// Finds a PostgreSQL server whose major version may be this one: the given one, or one from programs of that version.
    ///
    /// # Errors
    ///
    /// A sentence about what is missing.
    pub(crate) fn of_major(major: u32) -> Result<Self, String> {
        if let Some(given) = Self::given(Product::Postgres) {
            return Ok(given);
        }
        let binaries = Binaries::of_postgres(major)?.ok_or_else(|| {
            format!("no DATABASE_URL is set and no binaries of PostgreSQL {major} are found")
        })?;
        Self::own(Product::Postgres, binaries)
    }

    /// Starts a PostgreSQL server from the programs on this machine, whatever others there are.
    ///
    /// # Errors
    ///
    /// A sentence about what is missing.
    pub(crate) fn of_our_own() -> Result<Self, String> {
        Self::own(Product::Postgres, postgres_binaries()?)
    }

    /// Where it answers.
    pub(crate) fn url(&self) -> &Url {
        &self.url
    }

    /// The step with the tests of this product switched on, which then fail without a server.
    pub(crate) fn switch_on(&self, step: Step) -> Step {
        let facts = self.product.facts();
        step.env(facts.gate, "1").env_url(facts.variable, &self.url)
    }

    fn given(product: Product) -> Option<Self> {
        let url = Url::from_environment(product.facts().variable)?;
        Some(Self {
            product,
            url,
            source: Source::Given,
        })
    }

    /// All of them from Docker, or each from the programs at hand.
    fn started(workspace: &Workspace, products: &[Product]) -> Result<Vec<Self>, String> {
        let services: Vec<&str> = products
            .iter()
            .map(|product| product.facts().service)
            .collect();
        let no_docker = match Docker::up(workspace, &services) {
            Ok(docker) => {
                let docker = Rc::new(docker);
                let servers = products
                    .iter()
                    .map(|product| Self::docker(*product, Rc::clone(&docker)));
                return servers.collect();
            }
            Err(fault) => fault,
        };
        let mut startable = Vec::new();
        let mut missing = Vec::new();
        for &product in products {
            match Binaries::found(product) {
                Some(binaries) => startable.push((product, binaries)),
                None => missing.push(ways(product, &no_docker)),
            }
        }
        if !missing.is_empty() {
            return Err(missing.join("\n"));
        }
        if no_docker.is_failure() {
            eprintln!("  {no_docker}; going on without it");
        }
        let servers = startable
            .into_iter()
            .map(|(product, binaries)| Self::own(product, binaries));
        servers.collect()
    }

    fn docker(product: Product, docker: Rc<Docker>) -> Result<Self, String> {
        let url = Url::new(product.facts().docker_url);
        Self {
            product,
            url,
            source: Source::Docker(docker),
        }
        .greeted()
    }

    fn own(product: Product, binaries: Binaries) -> Result<Self, String> {
        let own = Own::start(product, &binaries)?;
        let url = Url::new(
            product
                .facts()
                .own_url
                .replace("PORT", &own.port().to_string()),
        );
        Self {
            product,
            url,
            source: Source::Own(binaries, own),
        }
        .greeted()
    }

    /// The server once it greets as one of its product does.
    fn greeted(self) -> Result<Self, String> {
        let facts = self.product.facts();
        if let (Some(greeting), Some(port)) = (facts.greeting, self.url.port()) {
            greeting::wait(port, greeting)
                .map_err(|fault| format!("{} does not answer at {fault}", facts.name))?;
        }
        Ok(self)
    }
}

/// The folder with PostgreSQL's programs on this machine.
///
/// # Errors
///
/// A sentence about what is missing.
pub(crate) fn postgres_programs() -> Result<String, String> {
    Ok(postgres_binaries()?.to_string())
}

fn postgres_binaries() -> Result<Binaries, String> {
    let named = Binaries::named(Product::Postgres)?;
    let binaries = named.or_else(|| Binaries::found(Product::Postgres));
    binaries.ok_or_else(|| {
        "no programs of PostgreSQL are found: install them, or name their folder in DVT_PG_BIN"
            .to_owned()
    })
}

/// The ways to have a server of a product that is missing.
fn ways(product: Product, no_docker: &DockerFault) -> String {
    let facts = product.facts();
    let (last, others) = facts.programs.split_last().unwrap_or((&"", &[]));
    let programs = match others {
        [] => format!("program {last}"),
        others => format!("programs {} and {last}", others.join(", ")),
    };
    format!(
        "no {name} server is at hand; any one of these will do:\n\
         1. {variable}={example} (it is not set)\n\
         2. Docker with its compose plugin, which runs docker/compose.yml ({no_docker})\n\
         3. {name}'s own {programs}: on the PATH, where a package puts such things, or in the folder that {folder} names \
         (not found; on Debian and Ubuntu: apt-get install {package})",
        name = facts.name,
        variable = facts.variable,
        example = facts.example,
        folder = facts.folder,
        package = facts.package,
    )
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let facts = self.product.facts();
        write!(f, "{}: ", facts.name)?;
        match &self.source {
            Source::Given => write!(f, "{}={}", facts.variable, self.url),
            Source::Docker(docker) => write!(f, "{}, {}", docker.told(facts.service), self.url),
            Source::Own(binaries, _) => {
                write!(f, "one of its own from {binaries}, {}", self.url)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_told_with_all_ways_to_have_it() {
        let no_docker = DockerFault::Absent("cannot connect".to_owned());
        for product in Product::ALL {
            let facts = product.facts();
            let text = ways(product, &no_docker);
            for part in [
                facts.name,
                facts.variable,
                facts.folder,
                facts.package,
                "cannot connect",
            ] {
                assert!(text.contains(part), "{part} in: {text}");
            }
        }
        let text = ways(Product::Postgres, &no_docker);
        assert!(
            text.contains("programs initdb, pg_ctl and postgres:"),
            "{text}"
        );
        let text = ways(Product::Nats, &no_docker);
        assert!(text.contains("program nats-server:"), "{text}");
    }

    #[test]
    fn a_server_switches_its_tests_on_and_hides_its_password() {
        let server = Server {
            product: Product::RabbitMq,
            url: Url::new("amqp://u:secret@h:5672"),
            source: Source::Given,
        };
        assert_eq!(
            server.switch_on(Step::cargo("test")).name(),
            "DVT_BUS_INTEGRATION=1 DVT_AMQP_URL=amqp://h:5672 cargo test"
        );
        assert_eq!(server.to_string(), "RabbitMQ: DVT_AMQP_URL=amqp://h:5672");
    }
}
