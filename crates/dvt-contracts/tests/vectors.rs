//! Derived keys and event ids against vectors that were made without this crate.
#![expect(clippy::expect_used, reason = "a broken fixture must fail the test")]

use dvt_contracts::{Attempt, EventId, KeyParts, RunKey, StepId};

fn rows<const N: usize>(file: &str) -> Vec<[&str; N]> {
    file.lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| {
            line.split('\t')
                .collect::<Vec<_>>()
                .try_into()
                .expect("the right number of columns")
        })
        .collect()
}

#[test]
fn derived_keys_agree_with_the_vectors() {
    let rows = rows::<8>(include_str!("vectors/derived_keys.tsv"));
    assert_eq!(rows.len(), 16);
    for [
        run_id,
        step_id,
        attempt,
        event_type,
        plan_id,
        plan_version,
        occurrence,
        expected,
    ] in rows
    {
        let step_id: Option<StepId> = (!step_id.is_empty()).then(|| step_id.parse().unwrap());
        let key = KeyParts {
            run_id: &run_id.parse().unwrap(),
            step_id: step_id.as_ref(),
            logical_attempt: Attempt::new(attempt.parse::<u64>().unwrap()).unwrap(),
            event_type: &event_type.parse().unwrap(),
            plan_id: &plan_id.parse().unwrap(),
            plan_version: &plan_version.parse().unwrap(),
            occurrence: occurrence.parse().unwrap(),
        }
        .derive();
        assert_eq!(
            key.as_str(),
            expected,
            "key of {run_id:?}, {step_id:?}, {event_type:?}"
        );
    }
}

#[test]
fn event_ids_agree_with_the_vectors() {
    let rows = rows::<4>(include_str!("vectors/event_ids.tsv"));
    assert_eq!(rows.len(), 9);
    for [tenant_id, run_id, key, expected] in rows {
        let run = RunKey::new(tenant_id.parse().unwrap(), run_id.parse().unwrap());
        let id = EventId::derive(&run, &key.parse().unwrap());
        assert_eq!(id.to_string(), expected, "id of {key:?} in run {run}");
    }
}
