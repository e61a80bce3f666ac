//! The commands of whoever looks after an outbox.

use clap::{Args as ClapArgs, Subcommand, ValueEnum, value_parser};
use dvt_contracts::{Destination, MAX_TEXT_BYTES, RunId, TenantId};

use super::store::{ENVIRONMENT, StoreArgs};
use crate::failure::EXIT_CODES;

const OUTBOX_EXAMPLES: &str = "\
Examples:
  dvt outbox status                                    # is anything stuck?
  dvt outbox dead-letters --open                       # what, and why?
  dvt outbox retry run-1 --tenant shop                 # the receiver is mended: try again
  dvt outbox skip run-1 --tenant shop --no 2 --reason 'never valid'

Each of the commands that change something is recorded with who, when and why, and may be repeated:
it answers the same again.
";

/// `dvt outbox`.
#[derive(Debug, Clone, ClapArgs)]
#[command(after_help = format!("{OUTBOX_EXAMPLES}\n{EXIT_CODES}"))]
pub(crate) struct OutboxArgs {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: OutboxCommand,
}

/// What can be done about an outbox.
#[derive(Debug, Clone, Subcommand)]
pub(crate) enum OutboxCommand {
    /// Tell the whole outbox in numbers, or list the runs with undelivered events.
    Status(StatusArgs),
    /// List the events that could not be delivered.
    DeadLetters(DeadLettersArgs),
    /// Let the events of dead letters go out again.
    Retry(RetryArgs),
    /// Give the event of a dead letter up for good, and let its run go on.
    Skip(SkipArgs),
    /// Stop the deliveries of a run until somebody retries or skips its next event.
    Park(ParkArgs),
    /// Replace the destination of the outbox.
    Retarget(RetargetArgs),
}

const STATUS_EXAMPLES: &str = "\
Examples:
  dvt outbox status
  dvt outbox status --json | jq .oldest_pending_age_seconds
  dvt outbox status --runs --state parked --tenant shop
  dvt outbox status --runs --all --json | jq -r 'select(.attempts > 3) | .run_id'

The numbers are those of all tenants.
Columns of --runs: tenant, run, state, undelivered, attempts, age, error, until, delivered, head,
claim, unfinished claims.
A terminal gets those that fit; anything else gets all, separated by tabs and without titles, with
the moment since when events wait in place of their age.
";

/// `dvt outbox status`.
#[derive(Debug, Clone, ClapArgs)]
#[command(after_help = format!("{STATUS_EXAMPLES}\n{ENVIRONMENT}\n{EXIT_CODES}"))]
pub(crate) struct StatusArgs {
    /// List the runs with undelivered events instead of the numbers.
    #[arg(long)]
    pub(crate) runs: bool,
    /// Only runs of this tenant. [default: all tenants]
    #[arg(long, value_name = "ID", requires = "runs")]
    pub(crate) tenant: Option<TenantId>,
    /// Only runs in this state.
    #[arg(long, value_enum, requires = "runs")]
    pub(crate) state: Option<RunWait>,
    /// At most this many runs. [default: 100]
    #[arg(long, value_name = "N", requires = "runs", value_parser = value_parser!(u64).range(1..))]
    pub(crate) limit: Option<u64>,
    /// All runs, however many.
    #[arg(long, requires = "runs", conflicts_with = "limit")]
    pub(crate) all: bool,
    /// Print one JSON object; with --runs, one per run.
    #[arg(long)]
    pub(crate) json: bool,
    /// Where the outbox is.
    #[command(flatten)]
    pub(crate) store: StoreArgs,
}

/// What a run with undelivered events waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum RunWait {
    /// The next claim.
    Due,
    /// The relay that has claimed it.
    Leased,
    /// The next attempt, after a failed one.
    BackingOff,
    /// An operator.
    Parked,
}

const DEAD_LETTERS_EXAMPLES: &str = "\
Examples:
  dvt outbox dead-letters --open
  dvt outbox dead-letters --tenant shop --run run-1
  dvt outbox dead-letters --all --json | jq -r 'select(.state == \"skipped\") | .resolution.by'

Columns: tenant, run, no, seq, attempts, cause, state, dead at, error.
A terminal gets those that fit; anything else gets all, separated by tabs and without titles.
";

/// `dvt outbox dead-letters`.
#[derive(Debug, Clone, ClapArgs)]
#[command(after_help = format!("{DEAD_LETTERS_EXAMPLES}\n{ENVIRONMENT}\n{EXIT_CODES}"))]
pub(crate) struct DeadLettersArgs {
    /// Only those of this tenant. [default: all tenants]
    #[arg(long, value_name = "ID")]
    pub(crate) tenant: Option<TenantId>,
    /// Only those of this run of the tenant.
    #[arg(long, value_name = "ID", requires = "tenant")]
    pub(crate) run: Option<RunId>,
    /// Only those that still park their run.
    #[arg(long)]
    pub(crate) open: bool,
    /// At most this many.
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = value_parser!(u64).range(1..))]
    pub(crate) limit: u64,
    /// All of them, however many.
    #[arg(long, conflicts_with = "limit")]
    pub(crate) all: bool,
    /// Print one JSON object per dead letter.
    #[arg(long)]
    pub(crate) json: bool,
    /// Where the outbox is.
    #[command(flatten)]
    pub(crate) store: StoreArgs,
}

const RETRY_EXAMPLES: &str = "\
Examples:
  dvt outbox retry run-1 --tenant shop
  dvt outbox retry --all --tenant shop --reason 'hooks.example.com is mended'
  dvt outbox retry --all --limit 10        # try some first

The events go out as they are, in the order of their runs, with no attempts counted; one that cannot
be delivered again becomes a new dead letter. --all may be killed at any time: run it again, it goes
on with those that are left.
";

/// `dvt outbox retry`.
#[derive(Debug, Clone, ClapArgs)]
#[command(after_help = format!("{RETRY_EXAMPLES}\n{OPERATOR}\n{ENVIRONMENT}\n{EXIT_CODES}"))]
pub(crate) struct RetryArgs {
    /// The run's id.
    #[arg(required_unless_present = "all", conflicts_with = "all")]
    pub(crate) run: Option<RunId>,
    /// Whose run it is. [default: default; with --all, all tenants]
    #[arg(long, value_name = "ID")]
    pub(crate) tenant: Option<TenantId>,
    /// The dead letter's number. [default: the run's last one; only that can be open]
    #[arg(long, value_name = "N", requires = "run", conflicts_with = "all", value_parser = value_parser!(u64).range(1..))]
    pub(crate) no: Option<u64>,
    /// Retry all dead letters that are open.
    #[arg(long)]
    pub(crate) all: bool,
    /// With --all: at most this many.
    #[arg(long, value_name = "N", requires = "all", conflicts_with = "run", value_parser = value_parser!(u64).range(1..))]
    pub(crate) limit: Option<u64>,
    /// Why.
    #[arg(long, value_name = "TEXT", default_value = "retry", value_parser = operator_text)]
    pub(crate) reason: String,
    /// Who does it.
    #[command(flatten)]
    pub(crate) operator: OperatorArgs,
    /// Print one JSON object: the dead letter, or with --all the summary.
    #[arg(long)]
    pub(crate) json: bool,
    /// Where the outbox is.
    #[command(flatten)]
    pub(crate) store: StoreArgs,
}

const SKIP_EXAMPLES: &str = "\
Examples:
  dvt outbox dead-letters --tenant shop --run run-1
  dvt outbox skip run-1 --tenant shop --no 2 --reason 'the receiver refuses it for good'

The event is never delivered, and its dead letter stays. The number is asked for so that nobody
skips what they did not see.
";

/// `dvt outbox skip`.
#[derive(Debug, Clone, ClapArgs)]
#[command(after_help = format!("{SKIP_EXAMPLES}\n{OPERATOR}\n{ENVIRONMENT}\n{EXIT_CODES}"))]
pub(crate) struct SkipArgs {
    /// The run's id.
    pub(crate) run: RunId,
    /// Whose run it is.
    #[arg(long, value_name = "ID", default_value = "default")]
    pub(crate) tenant: TenantId,
    /// The dead letter's number.
    #[arg(long, value_name = "N", value_parser = value_parser!(u64).range(1..))]
    pub(crate) no: u64,
    /// Why.
    #[arg(long, value_name = "TEXT", value_parser = operator_text)]
    pub(crate) reason: String,
    /// Who does it.
    #[command(flatten)]
    pub(crate) operator: OperatorArgs,
    /// Print the dead letter as one JSON object.
    #[arg(long)]
    pub(crate) json: bool,
    /// Where the outbox is.
    #[command(flatten)]
    pub(crate) store: StoreArgs,
}

const PARK_EXAMPLES: &str = "\
Examples:
  dvt outbox park run-1 --tenant shop --reason 'floods the receiver'
  dvt outbox retry run-1 --tenant shop     # lets it go on

The run's next event becomes a dead letter, and a relay that has claimed the run loses its lease.
Appends go on; nothing of the run is delivered until its dead letter is retried or skipped.
";

/// `dvt outbox park`.
#[derive(Debug, Clone, ClapArgs)]
#[command(after_help = format!("{PARK_EXAMPLES}\n{OPERATOR}\n{ENVIRONMENT}\n{EXIT_CODES}"))]
pub(crate) struct ParkArgs {
    /// The run's id.
    pub(crate) run: RunId,
    /// Whose run it is.
    #[arg(long, value_name = "ID", default_value = "default")]
    pub(crate) tenant: TenantId,
    /// Why.
    #[arg(long, value_name = "TEXT", value_parser = operator_text)]
    pub(crate) reason: String,
    /// Who does it.
    #[command(flatten)]
    pub(crate) operator: OperatorArgs,
    /// Print the dead letter as one JSON object.
    #[arg(long)]
    pub(crate) json: bool,
    /// Where the outbox is.
    #[command(flatten)]
    pub(crate) store: StoreArgs,
}

const RETARGET_EXAMPLES: &str = "\
Examples:
  dvt outbox status
  dvt outbox retarget --from stdout: --to 'nats://bus.example/dvt.{run}' --reason 'no more pipe'

Stop the relays first: one that runs goes on to deliver where it was told to. What is delivered stays
delivered; all the rest goes to the new destination.
";

/// `dvt outbox retarget`.
#[derive(Debug, Clone, ClapArgs)]
#[command(after_help = format!("{RETARGET_EXAMPLES}\n{OPERATOR}\n{ENVIRONMENT}\n{EXIT_CODES}"))]
pub(crate) struct RetargetArgs {
    /// The present destination, as `dvt outbox status` tells it.
    #[arg(long, value_name = "NAME")]
    pub(crate) from: Destination,
    /// The new one, as a relay names it: its --to without secrets, or its --destination.
    #[arg(long, value_name = "NAME")]
    pub(crate) to: Destination,
    /// Why.
    #[arg(long, value_name = "TEXT", value_parser = operator_text)]
    pub(crate) reason: String,
    /// Who does it.
    #[command(flatten)]
    pub(crate) operator: OperatorArgs,
    /// Print one JSON object.
    #[arg(long)]
    pub(crate) json: bool,
    /// Where the outbox is.
    #[command(flatten)]
    pub(crate) store: StoreArgs,
}

/// Who does something by hand.
#[derive(Debug, Clone, Default, ClapArgs)]
pub(crate) struct OperatorArgs {
    /// Who does it. [else: DVT_OPERATOR, then the login name]
    #[arg(long, value_name = "NAME", value_parser = operator_text)]
    pub(crate) by: Option<String>,
}

/// What the environment says about the operator, as `--help` lists it.
const OPERATOR: &str = "\
Operator:
  DVT_OPERATOR, USER, LOGNAME  who does it, if --by is not given: the first that is not empty
";

/// A text that the store keeps with what was done: not empty, and short enough to be kept whole.
pub(crate) fn operator_text(text: &str) -> Result<String, String> {
    if text.trim().is_empty() {
        return Err("it must not be empty".to_owned());
    }
    if text.len() > MAX_TEXT_BYTES {
        return Err(format!(
            "it has {} bytes: {MAX_TEXT_BYTES} are kept, shorten it",
            text.len()
        ));
    }
    Ok(text.to_owned())
}
