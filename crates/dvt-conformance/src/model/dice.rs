//! From random bytes to calls: few runs, keys and contents, so that they meet often.

use dvt_contracts::{
    AppendRequest, BootstrapRequest, Checkpoint, ClaimRequest, ConflictPolicy, DeadLetterQuery,
    Destination, Event, EventType, Expected, OnExhausted, OperatorNote, PendingQuery, ProviderRef,
    ResolutionKind, RetryPolicy, RunKey, RunQuery, RunStatus, SafeText,
};

use super::call::{Call, Grant};
use super::reference::Model;
use super::snap::STEP;
use crate::fixture::{attempt, event, key, metadata_of, moment, note, payload, policy, run_of, step};

/// The random bytes that one call is made of.
pub(super) type Throw = [u8; 12];

/// Runs of two tenants with overlapping ids; one is rarely there.
pub(super) fn run(die: u8) -> RunKey {
    match die % 5 {
        0 => run_of("t", "a"),
        1 => run_of("t", "b"),
        2 => run_of("t", "c"),
        3 => run_of("u", "a"),
        _ => run_of("u", "d"),
    }
}

fn make_event(die: u8, content: u8) -> Event {
    // 0 to 7 are the runs' usual life, the rest makes it unusual.
    let text = format!("k{}", die % 12);
    let plain = match content % 16 {
        0 | 1 | 2 => note(&text),
        3 | 4 => event(EventType::RunStarted, &text),
        5 => event(EventType::RunCompleted, &text),
        6 => event(EventType::RunFailed, &text),
        7 => event(EventType::RunCancelled, &text),
        8 => event(EventType::RunPaused, &text),
        9 => event(EventType::RunResumed, &text),
        10 => event(EventType::RunQueued, &text),
        11 => event(EventType::RunCancelRequested, &text),
        12 => step(EventType::StepStarted, "s", &text),
        13 => step(EventType::StepCompleted, "s", &text),
        14 => step(EventType::StepFailed, "t", &text),
        _ => step(EventType::StepSkipped, "s", &text),
    };
    match content / 16 {
        0..=11 => plain,
        12 => plain.with_payload(payload("[1e400, -0]")),
        13 => plain.with_logical_attempt(attempt(2)),
        14 => plain.with_engine_attempt(attempt(3)),
        _ => at_another_time(&plain).unwrap_or(plain),
    }
}

fn at_another_time(plain: &Event) -> Option<Event> {
    let (event_type, step) = (plain.event_type().clone(), plain.step_id().cloned());
    let emitted_at = moment("1999-12-31T23:59:59.999999Z");
    let event = Event::new(event_type, step, key(plain.idempotency_key().as_str()), emitted_at);
    event.ok().map(|event| event.with_payload(plain.payload().clone()))
}

fn events(dice: &[u8]) -> Vec<Event> {
    dice.chunks_exact(2).map(|pair| make_event(pair[0], pair[1])).collect()
}

fn destination(die: u8) -> Option<Destination> {
    Destination::new(["stdout:", "nats://a", "nats://b"][usize::from(die % 3)]).ok()
}

fn some_tenant(die: u8) -> Option<dvt_contracts::TenantId> {
    (die % 3 > 0).then(|| run(die % 3 * 2).tenant_id)
}

fn grant(grants: &[Grant], die: u8) -> Option<&Grant> {
    // The latest claims are the interesting ones.
    grants.iter().rev().nth(usize::from(die % 8) * usize::from(die >= 128 || die % 8 < 3))
}

/// An event number around what the grant covers: just before, first, last, just after.
fn around(grant: &Grant, die: u8) -> u64 {
    match die % 8 {
        0 => grant.first.saturating_sub(1),
        1..=3 => grant.first,
        4..=6 => grant.last,
        _ => grant.last + 1,
    }
}

fn retry_policy(die: u8) -> RetryPolicy {
    let end = if die % 2 == 0 { OnExhausted::Park } else { OnExhausted::Skip };
    policy(u32::from(die / 2 % 3) + 1).with_on_exhausted(end)
}

/// The call that a throw means in the given state; `None` if it takes a claim and there was none.
pub(super) fn call(throw: &Throw, model: &Model, grants: &[Grant]) -> Option<Call> {
    let [kind, a, b, c, d, e, ..] = *throw;
    let rest = &throw[4..];
    let head = |run: &RunKey| model.runs.get(run).map_or(0, |entry| entry.head());
    let operator = || OperatorNote::new("operator", format!("because {}", d % 4));
    Some(match kind % 64 {
        0..=5 => Call::Bootstrap(BootstrapRequest {
            run: run(a),
            metadata: metadata_of(if b < 230 { "usual" } else { "other" }),
            events: events(&rest[..usize::from(c % 4) * 2]),
        }),
        6..=19 => Call::Append(requests(throw, &head)),
        20 => Call::GetRun(run(a)),
        21 | 22 => Call::ListRuns(RunQuery {
            status: (b % 3 == 0).then(|| RunStatus::ALL[usize::from(c % 6)]),
            project_id: (d % 4 == 0).then(|| metadata_of("usual").project_id),
            after: (e % 3 == 0).then(|| run(e / 3).run_id),
            limit: u32::from(d % 5),
            ..RunQuery::new(run(a).tenant_id)
        }),
        23 => Call::ListTenants((a % 2 == 0).then(|| run(b).tenant_id), u32::from(c % 4)),
        24 | 25 => Call::ListEvents(run(a), u64::from(b % 6), u32::from(c % 6)),
        26 => Call::SaveProviderRef(
            run(a),
            ProviderRef::new("p", None, ["w", "x"][usize::from(b % 2)], None).ok()?,
        ),
        27 => Call::LoadCheckpoint(run(a)),
        28 | 29 => {
            let run_seq = (head(&run(a)) + 1).saturating_sub(u64::from(b % 4));
            Call::SaveCheckpoint(run(a), Checkpoint::sealed(run_seq, 1, format!("state {c}")))
        }
        30 | 31 => Call::Prune(run(a)),
        32..=39 => Call::Claim(ClaimRequest {
            max_runs: u32::from(a % 4) + u32::from(a > 127) * 10,
            max_events_per_run: u32::from(b % 4) + u32::from(b > 127) * 10,
            max_bytes: if c % 4 == 0 { 1 } else { u64::MAX },
            lease: STEP * (u32::from(d % 3) * 2 + 1),
        }),
        40 | 41 => {
            let leases = [a, b].iter().filter_map(|die| grant(grants, *die)).cloned().collect();
            Call::Extend(leases, STEP * (u32::from(d % 3) * 2 + 1))
        }
        42..=46 => {
            let marks = [(a, b), (c, d)].into_iter().take(1 + usize::from(e % 2));
            let marks = marks.filter_map(|(which, place)| {
                grant(grants, which).map(|grant| (grant.clone(), around(grant, place)))
            });
            Call::MarkDelivered(marks.collect())
        }
        47..=50 => {
            let grant = grant(grants, a)?;
            let error = SafeText::from(["down", "rejected"][usize::from(c % 2)]);
            Call::MarkFailed(grant.clone(), around(grant, b), error, retry_policy(d))
        }
        51 | 52 => {
            Call::Release([a, b].iter().filter_map(|die| grant(grants, *die)).cloned().collect())
        }
        53 => Call::ListPending(PendingQuery {
            tenant_id: some_tenant(a),
            after: (b % 3 == 0).then(|| run(b / 3)),
            limit: u32::from(c % 6),
        }),
        54 => Call::ListDeadLetters(DeadLetterQuery {
            tenant_id: some_tenant(a),
            open_only: b % 2 == 0,
            after: (c % 3 == 0).then(|| (run(c / 3), u64::from(d % 3))),
            limit: u32::from(e % 6),
        }),
        55 | 56 => {
            let kind = if b % 3 == 0 { ResolutionKind::Skipped } else { ResolutionKind::Retried };
            Call::Resolve(run(a), u64::from(c % 4), kind, operator())
        }
        57 => Call::Park(run(a), operator()),
        58 => Call::Bind(destination(a)?),
        59 => Call::Retarget(destination(a)?, destination(b)?, operator()),
        60 => Call::Stats,
        _ => Call::Advance(u32::from(a % 4) + 1),
    })
}

fn requests(throw: &Throw, head: &impl Fn(&RunKey) -> u64) -> Vec<AppendRequest> {
    let [_, a, b, c, ..] = *throw;
    let rest = &throw[4..];
    let request = |run: RunKey, events: Vec<Event>, die: u8| {
        let expected = match die % 8 {
            0 | 1 => Expected::At(head(&run)),
            2 => Expected::At(head(&run).saturating_sub(1)),
            3 => Expected::At(u64::from(die / 8)),
            _ => Expected::Any,
        };
        let policy =
            if die >= 192 { ConflictPolicy::Reject } else { ConflictPolicy::FirstWins };
        AppendRequest::new(run, events).expecting(expected).on_conflict(policy)
    };
    match b % 4 {
        0 | 1 => vec![request(run(a), events(&rest[..usize::from(b / 4 % 4) * 2 + 2]), c)],
        2 => vec![
            request(run(a), events(&rest[..4]), c),
            request(run(a / 5), events(&rest[4..]), c.rotate_left(3)),
        ],
        _ if b > 240 => vec![request(run(a), events(rest), c), request(run(a), Vec::new(), c)],
        _ => vec![
            request(run(a), events(&rest[..2]), c),
            request(run(a / 5), events(&rest[2..6]), c.rotate_left(3)),
            request(run(a / 25), events(&rest[6..]), c.rotate_left(5)),
        ],
    }
}
