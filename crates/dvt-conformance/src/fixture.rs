//! The values that cases work with, made from literals of the suite.
#![expect(
    clippy::expect_used,
    reason = "nothing but the suite's own literals can break here"
)]

use std::num::NonZeroU32;
use std::time::Duration;

use dvt_contracts::{
    Attempt, ClaimRequest, Event, EventType, IdempotencyKey, Jitter, Lease, LeaseError, MAX_CLAIM,
    OperatorNote, Payload, RetryPolicy, RunEvent, RunKey, RunMetadata, Timestamp,
};

/// The usual lease.
pub const LEASE: Duration = Duration::from_secs(60);

/// Longer than any lease or back-off, in seconds.
pub const LONG: i64 = 1_000_000;

/// What an operator says.
#[must_use]
pub fn by_ann() -> OperatorNote {
    OperatorNote::new("ann", "receiver was down, is up again")
}

/// What another operator says.
#[must_use]
pub fn by_bob() -> OperatorNote {
    OperatorNote::new("bob", "never needed")
}

/// A run of the usual tenant.
#[must_use]
pub fn run(run_id: &str) -> RunKey {
    run_of("tenant", run_id)
}

/// A run of any tenant.
#[must_use]
pub fn run_of(tenant_id: &str, run_id: &str) -> RunKey {
    RunKey::new(
        tenant_id.parse().expect("tenant"),
        run_id.parse().expect("run"),
    )
}

/// The usual metadata.
#[must_use]
pub fn metadata() -> RunMetadata {
    metadata_of("usual")
}

/// Metadata in which everything has this name.
#[must_use]
pub fn metadata_of(name: &str) -> RunMetadata {
    RunMetadata {
        project_id: name.parse().expect("project"),
        environment_id: name.parse().expect("environment"),
        plan_id: name.parse().expect("plan"),
        plan_version: name.parse().expect("version"),
    }
}

/// A key.
#[must_use]
pub fn key(text: &str) -> IdempotencyKey {
    text.parse().expect("key")
}

/// A payload.
#[must_use]
pub fn payload(json: &str) -> Payload {
    Payload::new(json).expect("payload")
}

/// An attempt.
#[must_use]
pub fn attempt(number: u32) -> Attempt {
    Attempt::new(number).expect("attempt")
}

/// A moment of the producer's clock.
#[must_use]
pub fn moment(text: &str) -> Timestamp {
    text.parse().expect("moment")
}

/// A run event with this key.
#[must_use]
pub fn event(event_type: EventType, key_text: &str) -> Event {
    let emitted_at = moment("2026-01-02T03:04:05.000006Z");
    Event::new(event_type, None, key(key_text), emitted_at).expect("run event")
}

/// A step event with this key.
#[must_use]
pub fn step(event_type: EventType, step_id: &str, key_text: &str) -> Event {
    let emitted_at = moment("2026-01-02T03:04:05.000006Z");
    let step_id = Some(step_id.parse().expect("step"));
    Event::new(event_type, step_id, key(key_text), emitted_at).expect("step event")
}

/// An event that changes no state, with this key and a payload that names it.
#[must_use]
pub fn note(key_text: &str) -> Event {
    event("Note".parse().expect("name"), key_text)
        .with_payload(payload(&format!("{{\"note\": \"{key_text}\"}}")))
}

/// The notes `k<from>` to `k<to>`.
#[must_use]
pub fn notes(from: usize, to: usize) -> Vec<Event> {
    (from..=to)
        .map(|number| note(&format!("k{number}")))
        .collect()
}

/// A claim of everything that is due, with the usual lease.
#[must_use]
pub fn claim_all() -> ClaimRequest {
    ClaimRequest {
        max_runs: MAX_CLAIM,
        max_events_per_run: MAX_CLAIM,
        max_bytes: u64::MAX,
        lease: LEASE,
    }
}

/// A policy of so many attempts with a back-off of exactly 100 s, 200 s, 400 s …, which then parks.
#[must_use]
pub fn policy(max_attempts: u32) -> RetryPolicy {
    let max_attempts = NonZeroU32::new(max_attempts).expect("attempts");
    RetryPolicy::new(
        max_attempts,
        Duration::from_secs(100),
        Duration::from_secs(100_000),
    )
    .expect("policy")
    .with_jitter(Jitter::None)
}

/// The numbers of the events.
#[must_use]
pub fn seqs(events: &[RunEvent]) -> Vec<u64> {
    events.iter().map(|event| event.run_seq).collect()
}

/// The answer to a lease that has ended.
#[must_use]
pub fn stale(lease: &Lease, delivered_seq: u64) -> LeaseError {
    LeaseError::StaleLease {
        run: lease.run.clone(),
        delivered_seq,
    }
}

/// The answer to an event that is not under the lease.
#[must_use]
pub fn out_of_range(run: &RunKey, seq: u64, delivered_seq: u64, last_seq: u64) -> LeaseError {
    LeaseError::SeqOutOfRange {
        run: run.clone(),
        seq,
        delivered_seq,
        last_seq,
    }
}
