//! Every case must be able to fail: each is played against stores with one planted bug each, and the outcome is
//! compared with the committed `kill-matrix.md`. `DVT_UPDATE_KILL_MATRIX=1` rewrites that file.
#![expect(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a broken fixture must fail the test"
)]

mod bug;
mod drops;
mod faults;
mod matrix;
mod mutants;

use std::collections::BTreeMap;
use std::path::Path;

use matrix::Matrix;

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/kill-matrix.md");

#[test]
fn every_case_is_killed_and_every_mutant_dies() {
    let control = Matrix::play(&[mutants::CONTROL]);
    assert_eq!(
        control.survivors(),
        [mutants::CONTROL.name],
        "the suite must pass without a bug"
    );
    assert_eq!(
        control.misfires(),
        BTreeMap::new(),
        "the suite must pass without a bug"
    );

    let matrix = Matrix::play(&mutants::all());

    let update = std::env::var_os("DVT_UPDATE_KILL_MATRIX").is_some_and(|value| value == "1");
    let text = matrix.to_string();
    if update {
        std::fs::write(FILE, &text).expect("kill-matrix.md is writable");
    }

    assert_eq!(
        matrix.misfires(),
        BTreeMap::new(),
        "cases must fail by an assertion of their own"
    );
    assert_eq!(
        matrix.survivors(),
        Vec::<&str>::new(),
        "mutants that no case notices"
    );
    assert_eq!(
        matrix.blunt_mutants(),
        Vec::new(),
        "mutants that kill over a quarter of all cases"
    );
    assert_eq!(
        matrix.unkilled_cases(),
        Vec::<&str>::new(),
        "cases that no mutant kills"
    );
    let (found, all) = matrix.found_by_model();
    assert!(
        found * 5 >= all * 4,
        "the model test finds {found} of {all} mutants, fewer than 80 %"
    );
    let committed = std::fs::read_to_string(Path::new(FILE)).unwrap_or_default();
    assert!(
        committed == text,
        "kill-matrix.md is not what this run found: run `cargo xtask fix` and look at the difference"
    );
}
