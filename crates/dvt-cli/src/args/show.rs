use std::path::PathBuf;

use clap::Args as ClapArgs;
use dvt_contracts::{RunId, TenantId};

use super::store::{ENVIRONMENT, StoreArgs};
use crate::failure::EXIT_CODES;

const SHOW_EXAMPLES: &str = "\
Examples:
  dvt show run-1
  dvt show run-1 --all
  dvt show run-1 --svg run-1.svg
  dvt show run-1 --tenant shop --json | jq '.attempts[] | select(.status == \"failed\")'
  dvt show run-1 --json | jq -r '.chain[].step_id'

Of more than 60 steps it shows groups, and one by one the longest steps and those that failed,
were skipped, are running, or decided how long the run took. Which ones decided it is inferred from
times, for events tell no dependencies: from the attempt that ended last back to the one that
ended last before it started, and so on.
";

/// `dvt show`.
#[derive(Debug, Clone, ClapArgs)]
#[command(after_help = format!("{SHOW_EXAMPLES}\n{ENVIRONMENT}\n{EXIT_CODES}"))]
pub(crate) struct ShowArgs {
    /// The run's id.
    pub(crate) run: RunId,
    /// Whose run it is.
    #[arg(long, value_name = "ID", default_value = "default")]
    pub(crate) tenant: TenantId,
    /// Of more than 60 steps, show this many of the longest, and as many of each other kind; 0 shows groups only. [default: 20]
    #[arg(long, value_name = "N")]
    pub(crate) top: Option<usize>,
    /// Show every step and anomaly, however many.
    #[arg(long, conflicts_with = "top")]
    pub(crate) all: bool,
    /// Also write the picture to this file, as SVG: it needs no other file, and follows light and dark themes.
    #[arg(long, value_name = "FILE")]
    pub(crate) svg: Option<PathBuf>,
    /// Print one JSON object, always with every step.
    #[arg(long)]
    pub(crate) json: bool,
    /// Where the run is.
    #[command(flatten)]
    pub(crate) store: StoreArgs,
}
