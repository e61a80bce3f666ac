//! The products that tests need a server of, and what is different about each.

use super::greeting::{self, Greeting};

/// A kind of server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Product {
    Postgres,
    /// With JetStream.
    Nats,
    RabbitMq,
}

/// How a server of a product is named, found and started.
#[derive(Debug)]
pub(super) struct Facts {
    /// What people call it.
    pub(super) name: &'static str,
    /// The environment variable with the URL of the user's own, which the tests read, too.
    pub(super) variable: &'static str,
    /// What may be in it.
    pub(super) example: &'static str,
    /// The environment variable that switches the tests on.
    pub(super) gate: &'static str,
    /// The service of docker/compose.yml.
    pub(super) service: &'static str,
    /// Where that answers: docker/compose.yml says so.
    pub(super) docker_url: &'static str,
    /// Where one of our own answers at PORT. There is no secret: it trusts whoever reaches this machine's own address.
    pub(super) own_url: &'static str,
    /// The environment variable with the folder of the programs.
    pub(super) folder: &'static str,
    /// The programs that must be in it.
    pub(super) programs: &'static [&'static str],
    /// Where packages put them, besides the folders on the PATH.
    pub(super) places: &'static [&'static str],
    /// The package of Debian and Ubuntu.
    pub(super) package: &'static str,
    /// What starts one from the programs: see `own.rs`.
    pub(super) script: &'static str,
    /// How many ports the script gets to choose from.
    pub(super) ports: usize,
    /// How the environment variables begin that are meant for the user's own servers.
    pub(super) not_for_us: &'static [&'static str],
    /// Whether it refuses to run as root.
    pub(super) refuses_root: bool,
    /// What it says to a new connection, where its start does not wait for that by itself.
    pub(super) greeting: Option<Greeting>,
}

const POSTGRES: Facts = Facts {
    name: "PostgreSQL",
    variable: "DATABASE_URL",
    example: "postgresql://user:password@host:port/database",
    gate: "DVT_PG_INTEGRATION",
    service: "postgres",
    docker_url: "postgresql://dvt:dvt@localhost:5432/dvt",
    own_url: "postgresql://dvt@127.0.0.1:PORT/postgres",
    folder: "DVT_PG_BIN",
    programs: &["initdb", "pg_ctl", "postgres"],
    // One folder for each major version: see `binaries.rs`.
    places: &[],
    package: "postgresql",
    script: include_str!("own/postgres.sh"),
    ports: 3,
    not_for_us: &["PG"],
    refuses_root: true,
    greeting: None,
};

const NATS: Facts = Facts {
    name: "NATS",
    variable: "DVT_NATS_URL",
    example: "nats://host:4222, with JetStream on",
    gate: "DVT_BUS_INTEGRATION",
    service: "nats",
    docker_url: "nats://127.0.0.1:4222",
    own_url: "nats://127.0.0.1:PORT",
    folder: "DVT_NATS_BIN",
    programs: &["nats-server"],
    places: &["/usr/sbin", "/usr/local/sbin"],
    package: "nats-server",
    script: concat!(include_str!("own/process.sh"), include_str!("own/nats.sh")),
    ports: 3,
    not_for_us: &["NATS_"],
    refuses_root: false,
    greeting: Some(greeting::nats),
};

const RABBITMQ: Facts = Facts {
    name: "RabbitMQ",
    variable: "DVT_AMQP_URL",
    example: "amqp://user:password@host:5672",
    gate: "DVT_BUS_INTEGRATION",
    service: "rabbitmq",
    docker_url: "amqp://guest:guest@127.0.0.1:5672",
    own_url: "amqp://guest:guest@127.0.0.1:PORT",
    folder: "DVT_RABBITMQ_BIN",
    programs: &["rabbitmq-server"],
    // Debian's /usr/sbin/rabbitmq-server insists on a user and a directory; the script behind it is here.
    places: &["/usr/lib/rabbitmq/bin", "/usr/local/sbin"],
    package: "rabbitmq-server",
    script: concat!(
        include_str!("own/process.sh"),
        include_str!("own/rabbitmq.sh")
    ),
    // Three for each try.
    ports: 9,
    not_for_us: &["RABBITMQ_", "ERL_"],
    refuses_root: false,
    greeting: Some(greeting::amqp),
};

impl Product {
    /// All of them.
    pub(crate) const ALL: [Self; 3] = [Self::Postgres, Self::Nats, Self::RabbitMq];

    /// What is different about it.
    pub(super) const fn facts(self) -> &'static Facts {
        match self {
            Self::Postgres => &POSTGRES,
            Self::Nats => &NATS,
            Self::RabbitMq => &RABBITMQ,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::Url;

    #[test]
    fn the_compose_file_has_each_service_at_its_port() {
        let compose = include_str!("../../../docker/compose.yml");
        for product in Product::ALL {
            let facts = product.facts();
            let service = format!("\n  {}:\n", facts.service);
            assert!(compose.contains(&service), "{}", facts.name);
            let port = Url::new(facts.docker_url).port().unwrap();
            let published = format!("\"127.0.0.1:{port}:{port}\"");
            assert!(compose.contains(&published), "{}", facts.name);
        }
    }

    #[test]
    fn variables_differ() {
        let mut names: Vec<_> = Product::ALL
            .iter()
            .flat_map(|product| [product.facts().variable, product.facts().folder])
            .collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), 2 * Product::ALL.len());
    }
}
