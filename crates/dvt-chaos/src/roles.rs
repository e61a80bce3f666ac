//! The processes of a campaign that use the store.

mod backing;
mod operator;
mod order;
mod reader;
mod recorded;
mod relay;
mod scribe_sink;
mod workload;
mod writer;

use std::path::PathBuf;

pub(crate) use self::backing::{Backing, Url};
use self::order::Orders;
#[cfg(feature = "planted")]
pub(crate) use self::scribe_sink::ScribeSink;
use crate::BoxError;
use crate::pen::Pen;

/// How often a delivery is tried before the event is dead.
pub(crate) const MAX_ATTEMPTS: u32 = 4;
/// How long a relay holds a run.
pub(crate) const LEASE_MILLIS: u64 = 2_000;
/// How many callers a writer is.
pub(crate) const LANES: u64 = 4;
/// The tenants, who have runs of the same names.
pub(crate) const TENANTS: [&str; 2] = ["alfa", "beta"];

/// What a process does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, clap::ValueEnum)]
pub(crate) enum Role {
    /// Appends.
    Writer,
    /// Delivers.
    Relay,
    /// Reads logs and lists, and saves checkpoints.
    Reader,
    /// Parks, retries, skips, and prunes.
    Operator,
}

impl Role {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Writer => "writer",
            Self::Relay => "relay",
            Self::Reader => "reader",
            Self::Operator => "operator",
        }
    }

    /// How many connections its pool may have.
    pub(crate) const fn connections(self) -> u32 {
        match self {
            Self::Writer | Self::Relay => 4,
            Self::Reader | Self::Operator => 2,
        }
    }
}

/// Who a process is.
#[derive(Debug, Clone)]
pub(crate) struct Station {
    pub(crate) role: Role,
    pub(crate) number: u64,
    /// How many processes had this number before.
    pub(crate) incarnation: u64,
    pub(crate) folder: PathBuf,
    pub(crate) seed: u64,
    pub(crate) backing: Backing,
    /// Events that all writers together append in a second.
    pub(crate) pace: u64,
    pub(crate) writers: u64,
    #[cfg_attr(
        not(feature = "planted"),
        expect(dead_code, reason = "only a build with planted bugs looks at it")
    )]
    pub(crate) planted: Option<String>,
}

impl Station {
    /// Unlike that of every other process of the campaign.
    pub(crate) fn name(&self) -> String {
        format!("{}{}i{}", self.role.name(), self.number, self.incarnation)
    }
}

/// Works until its orders say that it is enough, or end.
pub(crate) async fn run(station: Station) -> Result<(), BoxError> {
    let pen = Pen::new(&station.folder, &station.name())?;
    let orders = Orders::from_stdin();
    let store = station.backing.open(station.role.connections()).await?;
    match station.role {
        Role::Writer => writer::run(&station, store, pen, orders).await,
        Role::Relay => relay::run(&station, store, pen, orders).await,
        Role::Reader => reader::run(&station, store, pen, orders).await,
        Role::Operator => operator::run(&station, store, pen, orders).await,
    }
}

/// The part of a lane's name that stays when its process is killed and another comes in its place.
pub(crate) fn without_life(actor: &str) -> &str {
    actor.rsplit_once('i').map_or(actor, |(process, _)| process)
}
