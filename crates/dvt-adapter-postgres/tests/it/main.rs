//! Tests against a real server: `DVT_PG_INTEGRATION=1 DATABASE_URL=postgres://… cargo test -p dvt-adapter-postgres --test it`.
#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a broken fixture must fail the test"
)]

use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};

mod acknowledge_against_append;
mod append_in;
mod append_in_races;
mod append_only;
mod arguments;
mod cancellation;
mod catalogue;
mod chains;
mod child;
mod conformance;
mod contention;
mod crash;
mod crosswise;
mod deadlines;
mod differential;
mod doctor;
mod dropped;
mod empty_claim;
mod error_classes;
mod ground;
mod hints;
mod hints_lost;
mod hints_relay;
mod hostile;
mod hot;
mod interrupted;
mod keys;
mod landscape;
mod late_heads;
mod line;
mod many_claimers;
mod migrations;
mod outages;
mod own_server;
mod plan;
mod plans;
mod pooler;
mod privileges;
mod recall;
mod refusals;
mod round_trips;
mod runtime_role;
mod scarce;
mod sequence;
mod server;
mod settings;
mod shop;
mod silence;
mod stage;
mod standby;
mod strangers;
mod trial;
mod two_processes;
mod values;
mod wiretap;

fn main() -> ExitCode {
    if let Some(outcome) = child::outcome() {
        return outcome;
    }
    let arguments = Arguments::from_args();
    let tests = [
        migrations::trials(),
        interrupted::trials(),
        recall::trials(),
        refusals::trials(),
        privileges::trials(),
        runtime_role::trials(),
        settings::trials(),
        hostile::trials(),
        round_trips::trials(),
        append_in::trials(),
        append_in_races::trials(),
        late_heads::trials(),
        cancellation::trials(),
        dropped::trials(),
        deadlines::trials(),
        silence::trials(),
        acknowledge_against_append::trials(),
        crosswise::trials(),
        chains::trials(),
        plans::trials(),
        keys::trials(),
        sequence::trials(),
        append_only::trials(),
        contention::trials(),
        strangers::trials(),
        values::trials(),
        scarce::trials(),
        error_classes::trials(),
        outages::trials(),
        standby::trials(),
        two_processes::trials(),
        many_claimers::trials(),
        empty_claim::trials(),
        hints::trials(),
        hints_lost::trials(),
        hints_relay::trials(),
        differential::trials(),
        doctor::trials(),
        pooler::trials(),
        crash::trials(),
    ];
    let own = tests.into_iter().flatten().map(trial::Test::into_trial);
    let trials: Vec<Trial> = conformance::trials().into_iter().chain(own).collect();
    if std::env::var("DVT_PG_INTEGRATION").as_deref() != Ok("1") {
        println!(
            "{} integration tests are left out: they need DVT_PG_INTEGRATION=1 and DATABASE_URL",
            trials.len()
        );
        return ExitCode::SUCCESS;
    }
    libtest_mimic::run(&arguments, trials).exit_code()
}
