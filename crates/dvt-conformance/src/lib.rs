#![doc = include_str!("../README.md")]

mod audit;
pub mod cases;
mod cx;
mod failure;
#[cfg(feature = "faults")]
pub mod faults;
pub mod fixture;
mod harness;
mod list;
mod model;
mod race;
mod run;
mod through;

pub use self::cx::Cx;
pub use self::failure::Failure;
pub use self::harness::Harness;
pub use self::list::{CASES, Case};
pub use self::model::{Contestant, Played, differ};
pub use self::run::{evaluate, run_case};
pub use self::through::Through;

/// What an adapter author needs besides this crate's own items to write a [`Harness`].
pub use async_trait::async_trait;
