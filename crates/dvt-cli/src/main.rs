#![doc = include_str!("../README.md")]

use std::process::ExitCode;

use clap::Parser as _;

mod args;
mod console;
mod demo;
mod diff;
mod doctor;
mod drain;
mod event_line;
mod events;
mod every_run;
mod export;
mod failure;
mod generated;
mod key;
mod listing;
mod migrate;
mod outbox;
mod progress_line;
mod prune;
mod reader;
mod record;
mod record_line;
mod relay;
mod run_object;
mod runs;
#[cfg(test)]
mod sample;
mod show;
mod stop;
mod store;
mod text;
mod trouble;
mod verify;
mod whole_file;

use self::args::{Args, Command};
use self::console::Console;
use self::failure::{Exit, Failure};

fn main() -> ExitCode {
    let args = Args::parse();
    let mut console = Console::standard();
    let outcome = run(args, &mut console).and_then(|exit| {
        console.finish()?;
        Ok(exit)
    });
    let exit = outcome.unwrap_or_else(|failure| {
        console.complain(&failure);
        failure.exit()
    });
    ExitCode::from(exit.code())
}

/// Everything runs on one thread: the input is one stream, and its order is the point.
fn run(args: Args, console: &mut Console) -> Result<Exit, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        // Databases are reached through both.
        .enable_all()
        .build()
        .map_err(Failure::Runtime)?;
    runtime.block_on(async {
        let ended = match args.command {
            Command::Record(args) => record::command(&args, console).await,
            Command::Runs(args) => runs::command(&args, console).await,
            Command::Show(args) => show::command(&args, console).await,
            Command::Events(args) => events::command(&args, console).await,
            Command::Diff(args) => diff::command(&args, console).await,
            Command::Export(args) => export::command(&args, console).await,
            Command::Verify(args) => verify::command(&args, console).await,
            Command::Doctor(args) => doctor::command(&args, console).await,
            Command::Prune(args) => prune::command(&args, console).await,
            Command::Relay(args) => relay::command(&args, console).await,
            Command::Drain(args) => drain::command(&args, console).await,
            Command::Outbox(args) => outbox::command(&args, console).await,
            Command::Key(args) => key::command(&args, console),
            Command::Migrate(args) => migrate::command(&args, console).await,
            Command::Demo(args) => demo::command(&args, console).await,
            Command::Completions(args) => generated::completions(&args, console),
            Command::Man(args) => generated::man(&args, console),
            Command::Reference => generated::reference(console),
        };
        store::close().await;
        ended
    })
}
