use std::path::PathBuf;

use clap::Args as ClapArgs;
use dvt_contracts::TenantId;

use super::store::{ENVIRONMENT, StoreArgs};
use crate::failure::EXIT_CODES;

const EXAMPLES: &str = "\
Examples:
  dvt prune --older-than 30d
  dvt prune --older-than 30d --yes --export pruned-in-november.ndjson
  dvt prune --older-than 12h --tenant lab --yes

Only runs that have ended, and whose events are all delivered, are pruned: their events go, and a
tombstone with metadata, status and head stays, so that no run ever starts again at 1. A run is as old
as its last event, by the store's clock against this machine's.

Without --yes nothing is changed. With --export a hundred runs at a time are written to the file, as
dvt record reads them, and safe on disk before the first of them is pruned.
Interrupting it is safe: what is pruned is whole, and repeating it goes on.

Columns: tenant, run, status, head, ended, what was done.
";

/// `dvt prune`.
#[derive(Debug, Clone, ClapArgs)]
#[command(after_help = format!("{EXAMPLES}\n{ENVIRONMENT}\n{EXIT_CODES}"))]
pub(crate) struct PruneArgs {
    /// Only runs whose last event is older, such as 30d, 12h or 90min.
    #[arg(long, value_name = "TIME")]
    pub(crate) older_than: humantime::Duration,
    /// Only runs of this tenant. [default: all tenants]
    #[arg(long, value_name = "ID")]
    pub(crate) tenant: Option<TenantId>,
    /// Prune them. Without it the command only says which runs it would prune.
    #[arg(long)]
    pub(crate) yes: bool,
    /// Write the runs to this new file before they are pruned; only with `--yes`.
    #[arg(long, value_name = "FILE", requires = "yes")]
    pub(crate) export: Option<PathBuf>,
    /// Print one JSON object per run.
    #[arg(long)]
    pub(crate) json: bool,
    /// Where the runs are.
    #[command(flatten)]
    pub(crate) store: StoreArgs,
}
