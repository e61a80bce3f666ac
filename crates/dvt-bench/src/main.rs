#![doc = include_str!("../README.md")]

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

mod append;
mod chart;
mod claims;
mod drain;
mod event;
mod fill;
mod ground;
mod growth;
mod latency;
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
    /// Write a chart of each group, an SVG file, to this folder.
    #[arg(long, value_name = "FOLDER")]
    charts: Option<PathBuf>,
    /// Drain the outbox in this schema, print how that went, and do nothing else.
    #[arg(long, value_name = "SCHEMA", hide = true)]
    drain: Option<String>,
}

/// What is measured together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Group {
    /// Appends to PostgreSQL by one caller, by many, and in batches.
    Append,
    /// How an outbox of a million events is drained.
    Drain,
    /// Claims beside idle runs, and under an old snapshot.
    Claims,
    /// An event's way from its append to the sink.
    Latency,
    /// Reading the state of a long run.
    State,
    /// The same work beside ten and a hundred times the data, and in a long run.
    Growth,
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
    match &args.drain {
        Some(schema) => runtime.block_on(drain::drain(&args.database_url, schema)),
        None => runtime.block_on(measure(args)),
    }
}

async fn measure(args: &Args) -> Result<(), BoxError> {
    let scale = match args.quick {
        true => Scale::QUICK,
        false => Scale::FULL,
    };
    let ground = Ground::new(&args.database_url, "main").await?;
    let crowded = Ground::new(&args.database_url, "crowded").await?;
    let mut report = Report::new(args.quick, ground.environment().await?);
    let wanted = |group| args.only.is_empty() || args.only.contains(&group);
    if wanted(Group::Append) {
        append::measure(&ground, scale, &mut report).await?;
    }
    if wanted(Group::Drain) {
        drain::measure(&ground, args.quick, &mut report).await?;
    }
    if wanted(Group::Claims) {
        claims::measure(&ground, &crowded, scale, &mut report).await?;
    }
    if wanted(Group::Latency) {
        latency::measure(&ground, args.quick, &mut report).await?;
    }
    if wanted(Group::State) {
        state::measure(&ground, args.quick, &mut report).await?;
    }
    if wanted(Group::Growth) {
        growth::measure(&ground, scale, &mut report).await?;
    }
    if wanted(Group::Sqlite) {
        sqlite::measure(scale, &mut report).await?;
    }
    print!("{report}");
    if let Some(file) = &args.json {
        std::fs::write(file, report.json()?)?;
    }
    if let Some(folder) = &args.charts {
        chart::write(&report, folder)?;
    }
    Ok(())
}
