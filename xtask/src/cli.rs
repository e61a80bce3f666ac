//! The command line: which command was asked for.

use crate::commands::{self, Outcome};
use crate::workspace::Workspace;

/// What `cargo xtask --help` prints.
pub(crate) const USAGE: &str = "\
Checks and chores of the DVT workspace.

Usage: cargo xtask <COMMAND>

Commands:
  test     Run all tests: the workspace on the servers, its doctests, and each crate in examples/
  it       Run the tests that need the servers, and nothing else; arguments after -- go to the tests
  lint     Run all checks, write nothing: format, clippy, docs, lock files, packages, sqlx data, conformance, tidiness
  fix      Mend what lint finds and a machine can mend: format, clippy, generated tables
  migrate  Bring a database's schema up to date: `dvt migrate` with the same options
           (--status, --dry-run, --dump-sql); DATABASE_URL and DVT_PG_SCHEMA say which
  prepare  Write crates/<adapter>/.sqlx anew, what the checked queries know about the database;
           with --check compare only, if a server of the version is at hand that it was made with
  bench    Measure the stores against hand-written baselines, on a PostgreSQL cluster of its own; takes minutes.
           --quick sees that everything runs, --json FILE writes the figures, too
  chaos    Set writers and relays against a nemesis, on PostgreSQL clusters of its own, and check what is left:
           --minutes N, --seed S, --json FILE, --store sqlite, --release; --planted all sees that the checker finds bugs
  help     Print this text (also: --help, -h)

The servers: PostgreSQL (prepare needs no other), NATS with JetStream, and RabbitMQ. Each is the one in DATABASE_URL,
DVT_NATS_URL or DVT_AMQP_URL, else Docker's of docker/compose.yml, else one of its own from the programs on this machine.
DVT_PG_BIN, DVT_NATS_BIN and DVT_RABBITMQ_BIN name folders with these programs, and go before Docker.

Exit codes: 0 all is well, 1 something failed, 2 the command line is wrong; `migrate` has those of `dvt`.
Lock files: lint never changes them, the others do not with CI=true in the environment.
";

/// A command that does something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Command {
    /// Runs all tests.
    Test,
    /// Runs the tests that need a server, with these arguments.
    It(Vec<String>),
    /// Runs all checks and writes nothing.
    Lint,
    /// Mends what can be mended without thinking.
    Fix,
    /// Runs `dvt migrate` with these arguments.
    Migrate(Vec<String>),
    /// Writes the data of the query macros.
    Prepare,
    /// Checks it.
    PrepareCheck,
    /// Measures, with these arguments.
    Bench(Vec<String>),
    /// Hurts the stores, with these arguments.
    Chaos(Vec<String>),
}

impl Command {
    /// Runs the command and returns the exit code.
    pub(crate) fn run(&self, workspace: &Workspace) -> u8 {
        let outcome = match self {
            Self::Test => commands::test::run(workspace),
            Self::It(args) => commands::it::run(workspace, args),
            Self::Lint => commands::lint::run(workspace),
            Self::Fix => commands::fix::run(workspace),
            Self::Migrate(args) => return commands::migrate::run(workspace, args),
            Self::Prepare => commands::prepare::run(workspace),
            Self::PrepareCheck => commands::prepare::check(workspace),
            Self::Bench(args) => commands::bench::run(workspace, args),
            Self::Chaos(args) => commands::chaos::run(workspace, args),
        };
        u8::from(outcome == Outcome::Failed)
    }
}

/// What the command line asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
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
    let mut rest: Vec<String> = args.collect();
    let next = rest.first().map(String::as_str);
    // `dvt` judges its arguments itself, and has a help text of its own.
    if first == "migrate" {
        return Ok(Request::Run(Command::Migrate(rest)));
    }
    // So does the program that measures.
    if first == "bench" {
        return Ok(Request::Run(Command::Bench(rest)));
    }
    // And the one that hurts.
    if first == "chaos" {
        return Ok(Request::Run(Command::Chaos(rest)));
    }
    let known = ["test", "it", "lint", "fix", "prepare"].contains(&first.as_str());
    if matches!(first.as_str(), "help" | "--help" | "-h")
        || (known && matches!(next, Some("--help" | "-h")))
    {
        return Ok(Request::Help);
    }
    let command = match (first.as_str(), next) {
        ("test", None) => Command::Test,
        ("lint", None) => Command::Lint,
        ("fix", None) => Command::Fix,
        ("prepare", None) => Command::Prepare,
        ("prepare", Some("--check")) if rest.len() == 1 => Command::PrepareCheck,
        ("prepare", Some(_)) => {
            let arg = rest
                .iter()
                .find(|arg| *arg != "--check")
                .map_or("--check twice", String::as_str);
            return Err(format!(
                "`prepare` takes nothing but `--check`, found `{arg}`"
            ));
        }
        ("it", None) => Command::It(rest),
        ("it", Some("--")) => Command::It(rest.split_off(1)),
        ("it", Some(arg)) => {
            return Err(format!(
                "`it` takes arguments for the tests after `--`, found `{arg}`"
            ));
        }
        (_, Some(arg)) if known => {
            return Err(format!("`{first}` takes no argument, found `{arg}`"));
        }
        _ => return Err(format!("unknown command `{first}`")),
    };
    Ok(Request::Run(command))
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
        assert_eq!(parsed("prepare"), Ok(Request::Run(Command::Prepare)));
        assert_eq!(
            parsed("prepare --check"),
            Ok(Request::Run(Command::PrepareCheck))
        );
    }

    #[test]
    fn arguments_for_others_are_handed_on() {
        let words = |line: &str| line.split_whitespace().map(str::to_owned).collect();
        for line in ["", "--status", "--dump-sql --help"] {
            let expected = Ok(Request::Run(Command::Migrate(words(line))));
            assert_eq!(parsed(&format!("migrate {line}")), expected);
        }
        assert_eq!(
            parsed("chaos --minutes 1"),
            Ok(Request::Run(Command::Chaos(words("--minutes 1"))))
        );
        assert_eq!(parsed("it"), Ok(Request::Run(Command::It(vec![]))));
        assert_eq!(
            parsed("it -- append --list"),
            Ok(Request::Run(Command::It(words("append --list"))))
        );
    }

    #[test]
    fn help_is_no_error() {
        for line in ["help", "--help", "-h", "lint --help", "it -h"] {
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
        assert_eq!(
            parsed("it append"),
            Err("`it` takes arguments for the tests after `--`, found `append`".to_owned())
        );
        assert_eq!(
            parsed("prepare --check all"),
            Err("`prepare` takes nothing but `--check`, found `all`".to_owned())
        );
    }
}
