use dvt_contracts::StepStatus;
use serde::Serialize;

use super::attempts::{Row, word};
use super::{Reading, told};
use crate::record::Steps;
use crate::run_object::RunObject;

/// A run with what its log tells, as `--json` prints it. The names are part of the command's interface; those that
/// `dvt record --json` has too mean the same.
#[derive(Debug, Serialize)]
pub(super) struct ShownRun {
    #[serde(flatten)]
    run: RunObject,
    started_at: Option<String>,
    ended_at: Option<String>,
    cancelling: bool,
    steps: Steps,
    /// Of all steps, in the order of their first events.
    attempts: Vec<AttemptObject>,
    anomalies: u64,
    /// The first of them.
    anomaly_list: Vec<AnomalyObject>,
}

#[derive(Debug, Serialize)]
struct AttemptObject {
    step_id: String,
    logical_attempt: u32,
    status: &'static str,
    started_at: String,
    ended_at: Option<String>,
}

#[derive(Debug, Serialize)]
struct AnomalyObject {
    run_seq: u64,
    message: String,
}

impl From<Reading> for ShownRun {
    fn from(reading: Reading) -> Self {
        let state = &reading.state;
        let anomalies = state.anomalies().iter().map(|anomaly| AnomalyObject {
            run_seq: anomaly.run_seq,
            message: told(anomaly),
        });
        Self {
            started_at: state.started_at().map(|at| at.to_string()),
            ended_at: state.ended_at().map(|at| at.to_string()),
            cancelling: state.cancelling(),
            steps: Steps::of(state),
            attempts: reading
                .attempts
                .rows()
                .iter()
                .map(AttemptObject::from)
                .collect(),
            anomalies: state.anomalies_total(),
            anomaly_list: anomalies.collect(),
            run: reading.record.into(),
        }
    }
}

impl From<&Row> for AttemptObject {
    fn from(row: &Row) -> Self {
        let has_ended = row.status != StepStatus::Running;
        Self {
            step_id: row.step_id.to_string(),
            logical_attempt: row.attempt.get(),
            status: word(row.status),
            started_at: row.started_at.to_string(),
            ended_at: has_ended.then(|| row.ended_at.to_string()),
        }
    }
}
