//! Checks and chores of the DVT workspace: `cargo xtask --help`.

mod cli;
mod commands;
mod conformance;
mod finding;
mod step;
mod text;
mod tidy;
mod workspace;

#[cfg(test)]
mod scratch;

use std::process::ExitCode;

use crate::cli::Request;
use crate::workspace::Workspace;

fn main() -> ExitCode {
    match cli::parse(std::env::args().skip(1)) {
        Ok(Request::Help) => {
            print!("{}", cli::USAGE);
            ExitCode::SUCCESS
        }
        Ok(Request::Run(command)) => {
            if command.run(&Workspace::of_this_crate()) {
                ExitCode::SUCCESS
            } else {
                ExitCode::FAILURE
            }
        }
        Err(fault) => {
            eprint!("{fault}\n\n{}", cli::USAGE);
            ExitCode::from(2)
        }
    }
}
