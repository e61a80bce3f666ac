use clap::Args as ClapArgs;
use dvt_contracts::{RunId, TenantId};

use super::store::{ENVIRONMENT, StoreArgs};
use crate::failure::EXIT_CODES;

const EXAMPLES: &str = "\
Examples:
  dvt verify
  dvt verify --tenant shop --json | jq .violations
  dvt verify run-1 --tenant shop

Changes nothing, and may run while others write. Each violation is one line: run, rule and what was
found, separated by tabs if nobody looks at a terminal.

Rules: readable, sequence, head, moment, key, status, cursor, checkpoint, outbox, dead_letter,
tombstone.
";

/// `dvt verify`.
#[derive(Debug, Clone, ClapArgs)]
#[command(after_help = format!("{EXAMPLES}\n{ENVIRONMENT}\n{EXIT_CODES}"))]
pub(crate) struct VerifyArgs {
    /// The runs' ids. [default: all runs]
    #[arg(value_name = "RUN")]
    pub(crate) runs: Vec<RunId>,
    /// Whose runs. [default: of all tenants; where runs are named, default]
    #[arg(long, value_name = "ID")]
    pub(crate) tenant: Option<TenantId>,
    /// Print one JSON object.
    #[arg(long)]
    pub(crate) json: bool,
    /// Where the runs are.
    #[command(flatten)]
    pub(crate) store: StoreArgs,
}
