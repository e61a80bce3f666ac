//! Faults: wrappers that make a store or a sink fail in every way that a network can, and a campaign that looks for what was
//! lost, doubled or disordered by it. Behind the feature `faults`.
//!
//! [`FaultStore`] and [`FaultSink`] stand around any store and any sink. What they do to the n-th call of a method follows from
//! the seed of their [`FaultPlan`] alone, so a failure comes again with its seed. [`Faults`] counts what they did, and ends it.
//!
//! [`campaign`] needs no more than the [`Harness`](crate::Harness) of the conformance suite: producers append through the faulty
//! store, consumers deliver from it, then the faults end, everything is delivered, and [`Ledger`] and [`Arrivals`] compare what
//! was told with what is there. To put a layer to the test, let it stand over the faulty store:
//!
//! ```
//! use std::sync::Arc;
//!
//! use dvt_conformance::{Failure, Harness, faults};
//!
//! async fn nothing_is_lost_under_faults(harness: impl Harness) -> Result<(), Failure> {
//!     // Instead of the faulty store itself, give what your layer makes of it.
//!     let played = faults::campaigns(Arc::new(harness), 50, |faulty| Arc::new(faulty));
//!     println!("{}", played.await?);
//!     Ok(())
//! }
//! ```
//!
//! The seeds are printed; `DVT_FAULTS_SEED`, a number, plays that one alone.
//!
//! [`dropped_everywhere`] drops every call of every method at every one of its awaits, and looks at what it left behind.

mod arrivals;
mod campaign;
mod counts;
mod dice;
mod drain;
mod entry;
mod fault;
mod injector;
mod ledger;
mod method;
mod plan;
mod polls;
mod producer;
mod sink;
mod store;
mod toll;

pub use self::arrivals::Arrivals;
pub use self::campaign::{campaign, campaigns, seeds};
pub use self::counts::FaultCounts;
pub use self::fault::{Fault, Injected};
pub use self::injector::Faults;
pub use self::ledger::{Ledger, Sent};
pub use self::method::Method;
pub use self::plan::{FaultPlan, Rates};
pub use self::polls::after_polls;
pub use self::producer::{Producer, Workload};
pub use self::sink::FaultSink;
pub use self::store::FaultStore;
pub use self::toll::Toll;
pub use crate::model::{Drops, dropped_everywhere};
