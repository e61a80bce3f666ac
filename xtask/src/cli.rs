//! The command line: which command was asked for.

use crate::commands::{self, Outcome};
use crate::workspace::Workspace;

/// What `cargo xtask --help` prints.
pub(crate) const USAGE: &str = "\
Checks and chores of the DVT workspace.

Usage: cargo xtask <COMMAND>

Commands:
  test   Run all tests: the workspace, its doctests, and each crate in examples/
  lint   Run all checks, write nothing: format, clippy, docs, lock files, conformance, tidiness
  fix    Mend what lint finds and a machine can mend: format, clippy, generated tables
  help   Print this text (also: --help, -h)

Exit codes: 0 all is well, 1 something failed, 2 the command line is wrong.
Lock files: lint never changes them, test does not with CI=true in the environment.
";

/// A command that does something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Command {
    /// Runs all tests.
    Test,
    /// Runs all checks and writes nothing.
    Lint,
    /// Mends what can be mended without thinking.
    Fix,
}

impl Command {
    /// Runs the command and tells whether all went well.
    pub(crate) fn run(self, workspace: &Workspace) -> bool {
        let outcome = match self {
            Self::Test => commands::test::run(workspace),
            Self::Lint => commands::lint::run(workspace),
            Self::Fix => commands::fix::run(workspace),
        };
        outcome == Outcome::Ok
    }
}

/// What the command line asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Request {
    /// Tell how to use this.
    Help,
    /// Run a command.
    Run(Command),
}

/// Reads the arguments, without the program's name.
///
/// # Errors
///
/// A sentence that names the argument at fault.
pub(crate) fn parse(args: impl IntoIterator<Item = String>) -> Result<Request, String> {
    let mut args = args.into_iter();
    let first = args.next().ok_or("a command is missing")?;
    let request = match first.as_str() {
        "test" => Request::Run(Command::Test),
        "lint" => Request::Run(Command::Lint),
        "fix" => Request::Run(Command::Fix),
        "help" | "--help" | "-h" => return Ok(Request::Help),
        other => return Err(format!("unknown command `{other}`")),
    };
    match args.next() {
        None => Ok(request),
        Some(arg) if arg == "--help" || arg == "-h" => Ok(Request::Help),
        Some(arg) => Err(format!("`{first}` takes no argument, found `{arg}`")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Request, String> {
        parse(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn commands_are_known_by_name() {
        assert_eq!(parsed("test"), Ok(Request::Run(Command::Test)));
        assert_eq!(parsed("lint"), Ok(Request::Run(Command::Lint)));
        assert_eq!(parsed("fix"), Ok(Request::Run(Command::Fix)));
    }

    #[test]
    fn help_is_no_error() {
        for line in ["help", "--help", "-h", "lint --help"] {
            assert_eq!(parsed(line), Ok(Request::Help), "{line}");
        }
    }

    #[test]
    fn anything_else_is_an_error_that_names_it() {
        assert_eq!(parsed(""), Err("a command is missing".to_owned()));
        assert_eq!(parsed("verify"), Err("unknown command `verify`".to_owned()));
        assert_eq!(
            parsed("lint now"),
            Err("`lint` takes no argument, found `now`".to_owned())
        );
    }
}
