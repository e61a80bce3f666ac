#![doc = include_str!("../README.md")]

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

mod append;
mod event;
mod ground;
mod report;
mod rounds;
mod sqlite;
mod state;

use self::ground::Ground;
use self::report::Report;
use self::rounds::Scale;

/// Whatever stops a measurement.
type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Measures DVT against what a team would write by hand, in the same run.
#[derive(Debug, Parser)]
#[command(version)]
struct Args {
    /// A PostgreSQL database for the measurement alone.
    #[arg(long, env = "DATABASE_URL", hide_env_values = true, value_name = "URL")]
    database_url: String,
    /// Measure little: everything runs and is checked, and the figures mean nothing.
    #[arg(long)]
    quick: bool,
    /// Measure only these groups, with commas between them.
    #[arg(long, value_enum, value_delimiter = ',', value_name = "GROUP")]
    only: Vec<Group>,
    /// Write the figures to this file, too.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// What is measured together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Group {
    /// Appends to PostgreSQL by one caller, by many, and in batches.
    Append,
    /// Reading the state of a long run.
    State,
    /// A store in a file.
    Sqlite,
}

fn main() -> ExitCode {
    let args = Args::parse();
    match run(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &Args) -> Result<(), BoxError> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let scale = match args.quick {
            true => Scale::QUICK,
            false => Scale::FULL,
        };
        let ground = Ground::new(&args.database_url).await?;
        let mut report = Report::new(args.quick, ground.environment().await?);
        let wanted = |group| args.only.is_empty() || args.only.contains(&group);
        if wanted(Group::Append) {
            append::measure(&ground, scale, &mut report).await?;
        }
        if wanted(Group::State) {
            state::measure(&ground, args.quick, &mut report).await?;
        }
        if wanted(Group::Sqlite) {
            sqlite::measure(scale, &mut report).await?;
        }
        print!("{report}");
        if let Some(file) = &args.json {
            std::fs::write(file, report.json()?)?;
        }
        Ok(())
    })
}
