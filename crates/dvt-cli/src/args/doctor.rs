use clap::Args as ClapArgs;

use super::store::{ENVIRONMENT, StoreArgs};
use crate::failure::EXIT_CODES;

const EXAMPLES: &str = "\
Examples:
  dvt doctor --store postgres://dvt@db.example/dvt
  dvt doctor --json | jq '.findings[] | select(.severity != \"good\")'
  dvt doctor --long-transaction 1min

Changes nothing. Run it as the role that programs run as, for its privileges are among what is looked
at. Each finding is one line: severity, check, what was seen and the remedy, separated by tabs if
nobody looks at a terminal. A warning or fault ends with exit code 9, a note does not.

Checks: server, settings, pooler, tls, clock, connections, migrations, privileges, indexes, triggers,
transactions, tables. Whether the stored runs keep their rules is what dvt verify tells.
";

/// `dvt doctor`.
#[derive(Debug, Clone, ClapArgs)]
#[command(after_help = format!("{EXAMPLES}\n{ENVIRONMENT}\n{EXIT_CODES}"))]
pub(crate) struct DoctorArgs {
    /// From which age on a transaction is told.
    #[arg(long, value_name = "TIME", default_value = "10s")]
    pub(crate) long_transaction: humantime::Duration,
    /// Print one JSON object.
    #[arg(long)]
    pub(crate) json: bool,
    /// Where the store is.
    #[command(flatten)]
    pub(crate) store: StoreArgs,
}
