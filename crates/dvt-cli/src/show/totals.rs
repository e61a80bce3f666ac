use std::collections::BTreeMap;
use std::time::Duration;

use dvt_contracts::{RunKey, StepId, Store, StoreError};

use super::attempts::word;
use super::read;

/// A step in numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct StepTotals {
    /// How its last attempt goes.
    pub(crate) status: &'static str,
    /// How many there were.
    pub(crate) attempts: usize,
    /// How long they took together.
    pub(crate) work: Duration,
}

/// The steps of a run in numbers.
pub(crate) async fn totals(
    store: &dyn Store,
    run: &RunKey,
) -> Result<BTreeMap<StepId, StepTotals>, StoreError> {
    let steps = read(store, run).await?.course.steps;
    Ok(steps
        .into_iter()
        .map(|step| {
            let totals = StepTotals {
                status: word(step.status),
                attempts: step.rows.len(),
                work: step.work,
            };
            (step.id, totals)
        })
        .collect())
}
