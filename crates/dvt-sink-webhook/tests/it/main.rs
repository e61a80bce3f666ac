//! Tests against a receiver in this process, which misbehaves as it is told.
#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a broken fixture must fail the test"
)]

use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};

mod addresses;
mod certificates;
mod connections;
mod misbehaviour;
mod network;
mod outcomes;
mod proxies;
mod receiver;
mod relayed;
mod requests;
mod secrecy;
mod stage;
mod tls;
mod trial;

fn main() -> ExitCode {
    let tests = [
        addresses::trials(),
        connections::trials(),
        misbehaviour::trials(),
        outcomes::trials(),
        proxies::trials(),
        relayed::trials(),
        requests::trials(),
        secrecy::trials(),
        tls::trials(),
    ];
    let trials: Vec<Trial> = tests
        .into_iter()
        .flatten()
        .map(trial::Test::into_trial)
        .collect();
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}
