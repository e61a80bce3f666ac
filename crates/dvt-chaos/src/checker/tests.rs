//! A small history that breaks no rule, and for each rule histories that break it.

mod delivery;
mod effort;
mod leases;
mod log;
mod replies;
mod rest;
mod story;
