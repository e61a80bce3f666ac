use dvt_contracts::StepStatus;
use serde::Serialize;

use super::attempts::{Row, word};
use super::course::Course;
use super::groups::{Group, groups};
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
    /// The attempts that the run's length seems due to, in the order of time.
    chain: Vec<LinkObject>,
    /// The steps by what their ids begin with, or by status; those that took longest first.
    groups: Vec<GroupObject>,
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
    /// Whether it is part of the chain.
    chain: bool,
}

#[derive(Debug, Serialize)]
struct LinkObject {
    step_id: String,
    logical_attempt: u32,
}

#[derive(Debug, Serialize)]
struct GroupObject {
    name: String,
    steps: u64,
    running: u64,
    completed: u64,
    failed: u64,
    skipped: u64,
    total_seconds: f64,
    longest_seconds: f64,
}

#[derive(Debug, Serialize)]
struct AnomalyObject {
    run_seq: u64,
    message: String,
}

impl From<Reading> for ShownRun {
    fn from(reading: Reading) -> Self {
        let (state, course) = (&reading.state, &reading.course);
        let chain = course.chain.rows.iter().map(|row| &course.rows[*row]);
        let groups = groups(course);
        let anomalies = state.anomalies().iter().map(|anomaly| AnomalyObject {
            run_seq: anomaly.run_seq,
            message: told(anomaly),
        });
        Self {
            started_at: state.started_at().map(|at| at.to_string()),
            ended_at: state.ended_at().map(|at| at.to_string()),
            cancelling: state.cancelling(),
            steps: Steps::of(state),
            attempts: course.rows.iter().map(AttemptObject::from).collect(),
            chain: chain.map(LinkObject::from).collect(),
            groups: groups
                .iter()
                .map(|group| GroupObject::new(group, course))
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
            chain: row.link.is_some(),
        }
    }
}

impl From<&Row> for LinkObject {
    fn from(row: &Row) -> Self {
        Self {
            step_id: row.step_id.to_string(),
            logical_attempt: row.attempt.get(),
        }
    }
}

impl GroupObject {
    fn new(group: &Group, course: &Course) -> Self {
        let count = |status| group.count(status, course) as u64;
        Self {
            name: group.name.clone(),
            steps: group.steps.len() as u64,
            running: count(StepStatus::Running),
            completed: count(StepStatus::Completed),
            failed: count(StepStatus::Failed),
            skipped: count(StepStatus::Skipped),
            total_seconds: group.total.as_secs_f64(),
            longest_seconds: group.longest.as_secs_f64(),
        }
    }
}
