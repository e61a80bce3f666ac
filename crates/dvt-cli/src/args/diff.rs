use clap::Args as ClapArgs;
use dvt_contracts::{RunId, TenantId};

use super::store::{ENVIRONMENT, StoreArgs};
use crate::failure::EXIT_CODES;

const EXAMPLES: &str = "\
Examples:
  dvt diff nightly-41 nightly-42 --tenant shop
  dvt diff nightly-41 nightly-42 --at-least 0.5
  dvt diff nightly-41 nightly-42 --json | jq 'select(.status[0] != .status[1])'

Columns: step, status, attempts, seconds, each as the first run has it and then as the second does,
and the seconds that the second took more. First come the steps with another status, then those
with other attempts, then the others, those that changed most on top.
";

/// `dvt diff`.
#[derive(Debug, Clone, ClapArgs)]
#[command(after_help = format!("{EXAMPLES}\n{ENVIRONMENT}\n{EXIT_CODES}"))]
pub(crate) struct DiffArgs {
    /// The first run's id.
    pub(crate) first: RunId,
    /// The second run's id.
    pub(crate) second: RunId,
    /// Whose runs they are.
    #[arg(long, value_name = "ID", default_value = "default")]
    pub(crate) tenant: TenantId,
    /// Leave out steps of the same status and attempts whose time differs by less.
    #[arg(long, value_name = "SECONDS", default_value_t = 0.0)]
    pub(crate) at_least: f64,
    /// Print one JSON object per step.
    #[arg(long)]
    pub(crate) json: bool,
    /// Where the runs are.
    #[command(flatten)]
    pub(crate) store: StoreArgs,
}
