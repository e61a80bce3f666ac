//! Checks and chores of the DVT workspace: `cargo xtask --help`.

mod cli;
mod commands;
mod conformance;
mod finding;
mod guard;
mod packages;
mod reference;
mod scratch;
mod server;
mod sqlx_data;
mod step;
mod text;
mod tidy;
mod workspace;

use std::process::ExitCode;

use crate::cli::Request;
use crate::workspace::Workspace;

fn main() -> ExitCode {
    match cli::parse(std::env::args().skip(1)) {
        Ok(Request::Help) => {
            print!("{}", cli::USAGE);
            ExitCode::SUCCESS
        }
        Ok(Request::Run(command)) => ExitCode::from(command.run(&Workspace::of_this_crate())),
        Err(fault) => {
            eprint!("{fault}\n\n{}", cli::USAGE);
            ExitCode::from(2)
        }
    }
}
