use clap::Args as ClapArgs;
use dvt_contracts::{RunId, TenantId};

use super::store::{ENVIRONMENT, StoreArgs};
use crate::failure::EXIT_CODES;

const EXAMPLES: &str = "\
Examples:
  dvt export > everything.ndjson
  dvt export run-1 run-2 --tenant shop
  dvt export | dvt record - --store postgres://dvt@localhost/dvt

The last one moves everything to another store, which is then equal in all but what a store makes
itself: moments of its own clock, deliveries, checkpoints. Of pruned runs nothing is left to export.
";

/// `dvt export`.
#[derive(Debug, Clone, ClapArgs)]
#[command(after_help = format!("{EXAMPLES}\n{ENVIRONMENT}\n{EXIT_CODES}"))]
pub(crate) struct ExportArgs {
    /// The runs' ids. [default: all runs]
    #[arg(value_name = "RUN")]
    pub(crate) runs: Vec<RunId>,
    /// Whose runs. [default: of all tenants; where runs are named, default]
    #[arg(long, value_name = "ID")]
    pub(crate) tenant: Option<TenantId>,
    /// Where the runs are.
    #[command(flatten)]
    pub(crate) store: StoreArgs,
}
