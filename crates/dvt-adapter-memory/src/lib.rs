#![doc = include_str!("../README.md")]

mod append;
mod clock;
mod log;
mod outbox;
#[cfg(doctest)]
mod readme;
mod run;
mod state;
mod store;

pub use self::clock::ManualClock;
pub use self::store::MemoryStore;
