use std::path::PathBuf;

use clap::{Args as ClapArgs, Parser, Subcommand, ValueEnum, value_parser};
use dvt_contracts::{
    Attempt, EnvironmentId, EventType, PlanId, PlanVersion, RunId, StepId, TenantId,
};

use crate::failure::EXIT_CODES;

mod diff;
mod doctor;
mod export;
mod generated;
mod outbox;
mod prune;
mod reading;
mod relay;
mod show;
mod store;
mod verify;

pub(crate) use self::diff::DiffArgs;
pub(crate) use self::doctor::DoctorArgs;
pub(crate) use self::export::ExportArgs;
pub(crate) use self::generated::{CompletionsArgs, ManArgs};
pub(crate) use self::outbox::{
    DeadLettersArgs, OperatorArgs, OutboxArgs, OutboxCommand, ParkArgs, RetargetArgs, RetryArgs,
    RunWait, SkipArgs, StatusArgs, operator_text,
};
pub(crate) use self::prune::PruneArgs;
pub(crate) use self::reading::{EventsArgs, RunsArgs};
pub(crate) use self::relay::{DrainArgs, RelayArgs, SinkArgs, WebhookMode};
pub(crate) use self::show::ShowArgs;
pub(crate) use self::store::{ENVIRONMENT, StoreArgs};
pub(crate) use self::verify::VerifyArgs;

/// Records what happens to workflow runs, shows it, and hands it on in order.
#[derive(Debug, Parser)]
#[command(name = "dvt", version, after_help = EXIT_CODES, max_term_width = 100)]
pub(crate) struct Args {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Record a stream of events, or the log of a dbt run.
    Record(RecordArgs),
    /// List the runs of a store.
    Runs(RunsArgs),
    /// Show one run: its steps, and a timeline drawn to scale.
    Show(ShowArgs),
    /// Print the log of one run.
    Events(EventsArgs),
    /// Compare two runs: the steps that differ in status, attempts or time.
    Diff(DiffArgs),
    /// Write runs as `dvt record` reads them.
    Export(ExportArgs),
    /// Check that a store keeps its own rules.
    Verify(VerifyArgs),
    /// Look at a database on PostgreSQL as the place of a store, and say what to mend.
    Doctor(DoctorArgs),
    /// Remove the events of runs that ended long ago; only say which, unless told --yes.
    Prune(PruneArgs),
    /// Deliver events to a bus, a webhook or standard output as they come.
    Relay(Box<RelayArgs>),
    /// Deliver all that is due to standard output, and acknowledge it.
    Drain(DrainArgs),
    /// Look after what is to be delivered: how much, what is stuck, and what to do about it.
    Outbox(Box<OutboxArgs>),
    /// Print the idempotency key that is derived from an event's coordinates.
    Key(KeyArgs),
    /// Bring the schema of a store on PostgreSQL up to date, or say what that would take.
    Migrate(MigrateArgs),
    /// Record a bundled dbt run in dvt.db in the current folder, and show it. Needs nothing.
    Demo(DemoArgs),
    /// Print what a shell needs to complete this command.
    Completions(CompletionsArgs),
    /// Print the manual page, or write those of all commands into a folder.
    Man(ManArgs),
    /// Print docs/cli.md.
    #[command(hide = true)]
    Reference,
}

const RECORD_EXAMPLES: &str = "\
Examples:
  dvt record events.ndjson --show
  dbt build --log-format json --log-level debug | dvt record - --format dbt --show
  dvt record events.ndjson --drain > delivered.ndjson
  dvt record events.ndjson --strict
  dvt record logs/dbt.log --format dbt --follow
  dbt retry --log-format json --log-level debug | dvt record - --format dbt --run RUN
  temporal workflow show --workflow-id ID -o json | dvt record - --format temporal --show
  dvt record events.ndjson --store postgres://dvt@localhost/dvt

Recording the same input again appends nothing: every event is known by its idempotency key.
If nothing names a store it is the file dvt.db in the current folder, made by the first event.
--store memory: lasts as long as the command.
";

/// `dvt record`.
#[derive(Debug, ClapArgs)]
#[command(after_help = format!("{RECORD_EXAMPLES}\n{ENVIRONMENT}\n{EXIT_CODES}"))]
pub(crate) struct RecordArgs {
    /// The file to read, or `-` for standard input.
    pub(crate) file: PathBuf,
    /// How the input is written.
    #[arg(long, value_enum, default_value_t = Format::Ndjson)]
    pub(crate) format: Format,
    /// Who the runs belong to; only with `--format dbt` and `temporal`. [default: default]
    #[arg(long, value_name = "ID")]
    pub(crate) tenant: Option<TenantId>,
    /// Where the runs ran; only with `--format dbt` and `temporal`. [default: default]
    #[arg(long, value_name = "ID")]
    pub(crate) environment: Option<EnvironmentId>,
    /// The run that the invocations of the input continue, such as a `dbt retry` the run that failed;
    /// only with `--format dbt`. [default: each invocation is a run of its own]
    #[arg(long, value_name = "RUN")]
    pub(crate) run: Option<RunId>,
    /// Go on with the lines that the file gets, until ctrl-c, and wait for a store that is away.
    ///
    /// Standard input is read as it comes in any case.
    #[arg(long)]
    pub(crate) follow: bool,
    /// Refuse events that the transition table does not allow, such as the end of a step in a run that has ended.
    ///
    /// A run is taken up to its first such event; that line and the run's later ones are rejected. Without it whatever happened is
    /// recorded, and `dvt show` lists what is odd about it.
    #[arg(long)]
    pub(crate) strict: bool,
    /// Show each recorded run: its steps, and a timeline drawn to scale.
    #[arg(long)]
    pub(crate) show: bool,
    /// Deliver all that is due to standard output, one JSON object per line, and acknowledge it.
    ///
    /// Everything else then goes to standard error.
    #[arg(long)]
    pub(crate) drain: bool,
    /// Print the summary as one JSON object.
    #[arg(long)]
    pub(crate) json: bool,
    /// Where to record.
    #[command(flatten)]
    pub(crate) store: StoreArgs,
}

/// How an input is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// One event per line, as a JSON object.
    Ndjson,
    /// dbt's JSON log at level debug.
    Dbt,
    /// Workflow histories as `temporal workflow show -o json` prints them.
    Temporal,
}

const KEY_EXAMPLES: &str = "\
Examples:
  dvt key --run-id run-1 --plan-id plan --plan-version 1 --event-type RunStarted
  dvt key --run-id run-1 --plan-id plan --plan-version 1 \\
    --event-type StepFailed --step-id load --logical-attempt 2
";

/// `dvt key`.
#[derive(Debug, ClapArgs)]
#[command(after_help = KEY_EXAMPLES)]
pub(crate) struct KeyArgs {
    /// The run.
    #[arg(long, value_name = "ID")]
    pub(crate) run_id: RunId,
    /// The plan.
    #[arg(long, value_name = "ID")]
    pub(crate) plan_id: PlanId,
    /// The version of the plan.
    #[arg(long, value_name = "VERSION")]
    pub(crate) plan_version: PlanVersion,
    /// The event's type, such as `StepCompleted`.
    #[arg(long, value_name = "TYPE")]
    pub(crate) event_type: EventType,
    /// The step; none for an event of the run itself.
    #[arg(long, value_name = "ID")]
    pub(crate) step_id: Option<StepId>,
    /// The engine's attempt.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = value_parser!(u32).range(1..=i64::from(Attempt::MAX)))]
    pub(crate) logical_attempt: u32,
    /// 2 for the second event at the same coordinates, such as a second pause.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = value_parser!(u32).range(1..))]
    pub(crate) occurrence: u32,
    /// Print one JSON object with the key and the text that was hashed.
    #[arg(long)]
    pub(crate) json: bool,
}

const MIGRATE_EXAMPLES: &str = "\
Examples:
  dvt migrate --store postgres://dvt@localhost/dvt
  dvt migrate --status
  dvt migrate --dump-sql --schema shop > shop.sql

Several at once are safe, and so is one that is killed: repeat it. Where nothing is to be done it
changes nothing, and needs no privilege but to look.
";

/// `dvt migrate`.
#[derive(Debug, ClapArgs)]
#[command(after_help = format!("{MIGRATE_EXAMPLES}\n{ENVIRONMENT}\n{EXIT_CODES}"))]
pub(crate) struct MigrateArgs {
    /// Say of each migration whether it is applied; change nothing.
    #[arg(long, group = "mode")]
    pub(crate) status: bool,
    /// Say what would be applied; change nothing.
    #[arg(long, group = "mode")]
    pub(crate) dry_run: bool,
    /// Print all migrations as one SQL script for psql. Needs no database.
    #[arg(long, group = "mode", conflicts_with_all = ["store", "json"])]
    pub(crate) dump_sql: bool,
    /// Print one JSON object.
    #[arg(long)]
    pub(crate) json: bool,
    /// Where the schema is.
    #[command(flatten)]
    pub(crate) store: StoreArgs,
}

/// `dvt demo`.
#[derive(Debug, ClapArgs)]
pub(crate) struct DemoArgs {
    /// Print the delivered events as `dvt record --drain` does, and nothing else.
    #[arg(long)]
    pub(crate) json: bool,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Args::command().debug_assert();
    }
}
