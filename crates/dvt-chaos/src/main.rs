#![doc = include_str!("../README.md")]

use std::io;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use dvt_chaos::proxy::{Proxy, Random};

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
}

#[tokio::main]
async fn main() -> ExitCode {
    let done = match Args::parse().command {
        Command::Proxy {
            upstream,
            seed,
            per_mille,
        } => proxy(&upstream, seed, per_mille).await,
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
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
