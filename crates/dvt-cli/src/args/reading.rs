//! The commands that work on what a store holds already.

use clap::{ArgGroup, Args as ClapArgs, value_parser};
use dvt_contracts::{EnvironmentId, ProjectId, RunId, RunStatus, TenantId, Timestamp};

use super::store::{ENVIRONMENT, StoreArgs};
use crate::failure::EXIT_CODES;

const RUNS_EXAMPLES: &str = "\
Examples:
  dvt runs
  dvt runs --tenant default --status Failed --since 2026-01-02T00:00:00Z
  dvt runs --all --json | jq -r .run_id
  dvt runs --count --project shop

Columns: tenant, run, status, head, delivered, created, project, environment, plan, plan version,
provider, pruned.
A terminal gets those that fit; anything else gets all, separated by tabs and without titles.
";

/// `dvt runs`.
#[derive(Debug, Clone, ClapArgs)]
#[command(after_help = format!("{RUNS_EXAMPLES}\n{ENVIRONMENT}\n{EXIT_CODES}"))]
#[command(group = ArgGroup::new("begin").multiple(false).args(["tenant", "from_tenant"]))]
pub(crate) struct RunsArgs {
    /// Only runs of this tenant. [default: all tenants]
    #[arg(long, value_name = "ID")]
    pub(crate) tenant: Option<TenantId>,
    /// Only runs of this project.
    #[arg(long, value_name = "ID")]
    pub(crate) project: Option<ProjectId>,
    /// Only runs in this environment.
    #[arg(long, value_name = "ID")]
    pub(crate) environment: Option<EnvironmentId>,
    /// Only runs in this status: Pending, Running, Paused, Completed, Failed or Cancelled.
    #[arg(long, value_name = "STATUS")]
    pub(crate) status: Option<RunStatus>,
    /// Only runs that the store has had since this moment, such as 2026-01-02T03:04:05Z.
    #[arg(long, value_name = "TIME")]
    pub(crate) since: Option<Timestamp>,
    /// Only runs that the store had before this moment.
    #[arg(long, value_name = "TIME")]
    pub(crate) before: Option<Timestamp>,
    /// Only pruned runs, of which metadata and head are left.
    #[arg(long)]
    pub(crate) pruned: bool,
    /// At most this many runs.
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = value_parser!(u64).range(1..))]
    pub(crate) limit: u64,
    /// All runs, however many.
    #[arg(long, conflicts_with = "limit")]
    pub(crate) all: bool,
    /// Only runs whose id comes after this one, byte by byte.
    #[arg(long, value_name = "RUN", requires = "begin")]
    pub(crate) after: Option<RunId>,
    /// Begin with this tenant; those before it by name are left out.
    #[arg(long, value_name = "ID")]
    pub(crate) from_tenant: Option<TenantId>,
    /// Print how many there are of each status, and nothing else.
    #[arg(long, conflicts_with_all = ["limit", "all"])]
    pub(crate) count: bool,
    /// Print one JSON object per run, or one with --count.
    #[arg(long)]
    pub(crate) json: bool,
    /// Where the runs are.
    #[command(flatten)]
    pub(crate) store: StoreArgs,
}

const EVENTS_EXAMPLES: &str = "\
Examples:
  dvt events run-1
  dvt events run-1 --tenant shop --after 1000 --limit 50
  dvt events run-1 --json > run-1.ndjson
  dvt events run-1 --follow

With --follow each event comes once and in order, also across a restart of the database, until ctrl-c,
--limit, or the end of the run's log by dvt prune. To go on after that, say --after with the last seq.

Columns: seq, event, step, attempt, emitted, payload, persisted, engine attempt, idempotency key.
A terminal gets those that fit; anything else gets all, separated by tabs and without titles.
";

/// `dvt events`.
#[derive(Debug, Clone, ClapArgs)]
#[command(after_help = format!("{EVENTS_EXAMPLES}\n{ENVIRONMENT}\n{EXIT_CODES}"))]
pub(crate) struct EventsArgs {
    /// The run's id.
    pub(crate) run: RunId,
    /// Whose run it is.
    #[arg(long, value_name = "ID", default_value = "default")]
    pub(crate) tenant: TenantId,
    /// Only events after this seq.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) after: u64,
    /// At most this many events. [default: all]
    #[arg(long, value_name = "N", value_parser = value_parser!(u64).range(1..))]
    pub(crate) limit: Option<u64>,
    /// Go on with the events that come, within half a second after they are appended.
    #[arg(long)]
    pub(crate) follow: bool,
    /// Print one JSON object per event: that of `dvt drain` without `claim_no`.
    #[arg(long)]
    pub(crate) json: bool,
    /// Where the run is.
    #[command(flatten)]
    pub(crate) store: StoreArgs,
}
