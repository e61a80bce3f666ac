//! The cases, a module for each family. Each quotes the sentence of a port that it checks.

pub mod acknowledge;
pub mod append;
pub mod bootstrap;
pub mod checkpoint;
pub mod claim;
pub mod dead_letter;
pub mod destination;
pub mod expected;
pub mod idempotency;
pub mod lease;
pub mod limits;
pub mod listing;
pub mod model;
pub mod order;
pub mod outbox_races;
pub mod park;
pub mod pending;
pub mod prune;
pub mod races;
pub mod reading;
pub mod retry;
pub mod sequencing;
pub mod tenancy;
pub mod tolerant;
