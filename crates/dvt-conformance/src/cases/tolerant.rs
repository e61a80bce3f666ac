//! Histories that the strict face would refuse: the only family that has them.

use dvt_contracts::{EventType, RunQuery, RunState, RunStateStoreExt, RunStatus};

use crate::cx::Cx;
use crate::failure::{Failure, check, check_eq};
use crate::fixture::{attempt, event, note, run, step};

/// accept events that the transition table does not allow, and keep the status equal to the tolerant fold
///
/// CASES: C 28.
pub async fn status_is_the_tolerant_fold(cx: &Cx) -> Result<(), Failure> {
    // Each event with the status that the run has after it.
    let history = [
        (event(EventType::RunResumed, "k1"), RunStatus::Pending),
        (
            step(EventType::StepCompleted, "s", "k2"),
            RunStatus::Pending,
        ),
        (event(EventType::RunStarted, "k3"), RunStatus::Running),
        (event(EventType::RunQueued, "k4"), RunStatus::Running),
        (event(EventType::RunStarted, "k5"), RunStatus::Running),
        (event(EventType::RunPaused, "k6"), RunStatus::Paused),
        (event(EventType::RunCompleted, "k7"), RunStatus::Paused),
        (event(EventType::RunFailed, "k8"), RunStatus::Failed),
        (event(EventType::RunCancelled, "k9"), RunStatus::Failed),
        // The attempt is not higher: an anomaly, but the status depends on the type alone.
        (event(EventType::RunStarted, "k10"), RunStatus::Running),
        (note("k11"), RunStatus::Running),
        (
            event(EventType::RunCompleted, "k12").with_logical_attempt(attempt(9)),
            RunStatus::Completed,
        ),
        (
            event(EventType::RunStarted, "k13").with_logical_attempt(attempt(10)),
            RunStatus::Completed,
        ),
        (
            event(EventType::RunCancelRequested, "k14"),
            RunStatus::Completed,
        ),
    ];
    let run = run("a");
    let (first, rest) = history.split_at(2);
    cx.bootstrap(&run, first.iter().map(|(event, _)| event.clone()).collect())
        .await?;
    check_eq!(
        cx.store.get_run(&run).await?.status,
        RunStatus::Pending,
        "status after bootstrap"
    );

    for (event, expected) in rest {
        cx.append(&run, vec![event.clone()]).await?;

        let query = RunQuery {
            status: Some(*expected),
            ..RunQuery::new(run.tenant_id.clone())
        };
        let listed = cx.store.list_runs(&query).await?;
        check_eq!(
            listed.len(),
            1,
            "runs listed as {expected} after {}",
            event.event_type()
        );
        check_eq!(
            cx.store.get_run(&run).await?.status,
            *expected,
            "after {}",
            event.event_type()
        );
    }

    let mut fold = RunState::new();
    cx.log(&run)
        .await?
        .iter()
        .for_each(|event| fold.fold(event));
    check_eq!(cx.store.load_state(&run).await?, fold, "state");
    check!(
        fold.anomalies_total() >= 7,
        "found {} anomalies",
        fold.anomalies_total()
    );
    Ok(())
}
