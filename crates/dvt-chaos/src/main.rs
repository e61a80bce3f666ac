#![doc = include_str!("../README.md")]

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use dvt_chaos::proxy::{Proxy, Random};

mod campaign;
mod checker;
mod clock;
mod cluster;
mod dump;
mod fingerprint;
mod history;
mod nemesis;
mod pen;
#[cfg(feature = "planted")]
mod planted;
mod report;
mod roles;
mod scribe;

use self::campaign::{Plan, StoreKind};
use self::roles::{Backing, Role, Station};

/// Whatever stops a campaign.
type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Hurts a DVT store on purpose, and checks that nothing is lost.
#[derive(Debug, Parser)]
#[command(version)]
struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Stand between clients and a PostgreSQL server, and hurt some of their requests, until Ctrl-C.
    Proxy {
        /// The server, host:port.
        #[arg(long, default_value = "127.0.0.1:5432")]
        upstream: String,
        /// What happens to which request.
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// How many requests of a thousand are hurt.
        #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(..=1_000))]
        per_mille: u32,
    },
    /// Set writers, relays and operators against a nemesis, and check what is left.
    Run {
        /// How long they work against each other.
        #[arg(long, default_value_t = 1.0)]
        minutes: f64,
        /// What the nemesis does, and when.
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// What the store is kept in.
        #[arg(long, value_enum, default_value = "postgres")]
        store: StoreKind,
        /// Write the figures to this file, too.
        #[arg(long, value_name = "FILE")]
        json: Option<PathBuf>,
        /// Plant this bug, or `all` one after the other, or `list` them: each has to be found.
        #[cfg(feature = "planted")]
        #[arg(long, value_name = "NAME")]
        planted: Option<String>,
    },
    /// Write the history, be the sink.
    #[command(hide = true)]
    Scribe {
        #[arg(long)]
        folder: PathBuf,
        #[arg(long)]
        seed: u64,
    },
    /// Be one of the processes that use the store.
    #[command(hide = true)]
    Role(RoleArgs),
}

#[derive(Debug, clap::Args)]
struct RoleArgs {
    #[arg(value_enum)]
    role: Role,
    #[arg(long)]
    number: u64,
    #[arg(long)]
    incarnation: u64,
    #[arg(long)]
    seed: u64,
    #[arg(long)]
    pace: u64,
    #[arg(long)]
    writers: u64,
    #[arg(long)]
    folder: PathBuf,
    #[arg(long)]
    file: Option<PathBuf>,
    #[arg(long)]
    planted: Option<String>,
}

/// Exit codes beside 0: something was found, or the campaign says nothing.
const FOUND: u8 = 1;
const VOID: u8 = 3;

fn main() -> ExitCode {
    match start(Args::parse().command) {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(FOUND)
        }
    }
}

#[tokio::main]
async fn start(command: Command) -> Result<u8, BoxError> {
    match command {
        Command::Proxy {
            upstream,
            seed,
            per_mille,
        } => proxy(&upstream, seed, per_mille).await?,
        Command::Scribe { folder, seed } => scribe::serve(&folder, seed).await?,
        Command::Role(args) => roles::run(args.station()?).await?,
        #[cfg(feature = "planted")]
        Command::Run {
            planted: Some(name),
            seed,
            ..
        } => return planted::run(&name, seed).await,
        Command::Run {
            minutes,
            seed,
            store,
            json,
            ..
        } => {
            return run(&Plan::new(store, minutes, seed), json).await;
        }
    }
    Ok(0)
}

async fn run(plan: &Plan, json: Option<PathBuf>) -> Result<u8, BoxError> {
    let report = campaign::run(plan).await?;
    print!("{report}");
    if let Some(file) = json {
        std::fs::write(file, report.json()?)?;
    }
    Ok(match (report.has_failed(), report.void) {
        (true, _) => FOUND,
        (false, true) => VOID,
        (false, false) => 0,
    })
}

impl RoleArgs {
    fn station(self) -> Result<Station, BoxError> {
        let backing = match self.file {
            Some(file) => Backing::Sqlite { file },
            None => Backing::Postgres {
                url: roles::Url::from_environment()?,
            },
        };
        Ok(Station {
            role: self.role,
            number: self.number,
            incarnation: self.incarnation,
            folder: self.folder,
            seed: self.seed,
            backing,
            pace: self.pace,
            writers: self.writers,
            planted: self.planted,
        })
    }
}

async fn proxy(upstream: &str, seed: u64, per_mille: u32) -> io::Result<()> {
    let proxy = Proxy::start(upstream).await?;
    let control = proxy.control();
    control.for_coming(Random::new(seed, per_mille));
    println!("listening on {}, seed {seed}", proxy.addr());
    tokio::signal::ctrl_c().await?;
    let counts = control.counts();
    println!("{} connections", counts.connections);
    for (kind, hits) in counts.hits {
        println!(
            "{kind}: {}, operations in flight {}",
            hits.times, hits.in_flight
        );
    }
    Ok(())
}
