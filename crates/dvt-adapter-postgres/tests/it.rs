//! Tests against a real server: `DVT_PG_INTEGRATION=1 DATABASE_URL=postgres://… cargo test -p dvt-adapter-postgres --test it`.
#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a broken fixture must fail the test"
)]

use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};

#[path = "it/acknowledge_against_append.rs"]
mod acknowledge_against_append;
#[path = "it/append_in.rs"]
mod append_in;
#[path = "it/append_in_races.rs"]
mod append_in_races;
#[path = "it/append_only.rs"]
mod append_only;
#[path = "it/catalogue.rs"]
mod catalogue;
#[path = "it/child.rs"]
mod child;
#[path = "it/conformance.rs"]
mod conformance;
#[path = "it/contention.rs"]
mod contention;
#[path = "it/crosswise.rs"]
mod crosswise;
#[path = "it/empty_claim.rs"]
mod empty_claim;
#[path = "it/ground.rs"]
mod ground;
#[path = "it/hot.rs"]
mod hot;
#[path = "it/interrupted.rs"]
mod interrupted;
#[path = "it/keys.rs"]
mod keys;
#[path = "it/landscape.rs"]
mod landscape;
#[path = "it/late_heads.rs"]
mod late_heads;
#[path = "it/migrations.rs"]
mod migrations;
#[path = "it/own_server.rs"]
mod own_server;
#[path = "it/plan.rs"]
mod plan;
#[path = "it/plans.rs"]
mod plans;
#[path = "it/privileges.rs"]
mod privileges;
#[path = "it/refusals.rs"]
mod refusals;
#[path = "it/round_trips.rs"]
mod round_trips;
#[path = "it/runtime_role.rs"]
mod runtime_role;
#[path = "it/scarce.rs"]
mod scarce;
#[path = "it/sequence.rs"]
mod sequence;
#[path = "it/server.rs"]
mod server;
#[path = "it/settings.rs"]
mod settings;
#[path = "it/stage.rs"]
mod stage;
#[path = "it/standby.rs"]
mod standby;
#[path = "it/strangers.rs"]
mod strangers;
#[path = "it/trial.rs"]
mod trial;
#[path = "it/two_processes.rs"]
mod two_processes;
#[path = "it/values.rs"]
mod values;
#[path = "it/wiretap.rs"]
mod wiretap;

fn main() -> ExitCode {
    if let Some(outcome) = child::outcome() {
        return outcome;
    }
    let arguments = Arguments::from_args();
    let tests = [
        migrations::trials(),
        interrupted::trials(),
        refusals::trials(),
        privileges::trials(),
        runtime_role::trials(),
        settings::trials(),
        round_trips::trials(),
        append_in::trials(),
        append_in_races::trials(),
        late_heads::trials(),
        acknowledge_against_append::trials(),
        crosswise::trials(),
        plans::trials(),
        keys::trials(),
        sequence::trials(),
        append_only::trials(),
        contention::trials(),
        strangers::trials(),
        values::trials(),
        scarce::trials(),
        standby::trials(),
        two_processes::trials(),
        empty_claim::trials(),
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
