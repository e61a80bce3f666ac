//! Tests against a real server: `DVT_BUS_INTEGRATION=1 DVT_AMQP_URL=amqp://… cargo test -p dvt-sink-rabbitmq --test it`.
#![expect(
    clippy::panic,
    clippy::unwrap_used,
    reason = "a broken fixture must fail the test"
)]

use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};

mod broker;
mod certificates;
mod frames;
mod outages;
mod outcomes;
mod proxy;
mod refusals;
mod relayed;
mod stage;
mod throughput;
mod tls;
mod trial;

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let tests = [
        outages::trials(),
        outcomes::trials(),
        refusals::trials(),
        relayed::trials(),
        throughput::trials(),
        tls::trials(),
    ];
    let trials: Vec<Trial> = tests
        .into_iter()
        .flatten()
        .map(trial::Test::into_trial)
        .collect();
    if std::env::var("DVT_BUS_INTEGRATION").as_deref() != Ok("1") {
        println!(
            "{} integration tests are left out: they need DVT_BUS_INTEGRATION=1 and DVT_AMQP_URL",
            trials.len()
        );
        return ExitCode::SUCCESS;
    }
    libtest_mimic::run(&arguments, trials).exit_code()
}
