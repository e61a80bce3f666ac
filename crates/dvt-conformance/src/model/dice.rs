//! From random bytes to calls: few runs, keys and contents, so that they meet often.

use std::num::NonZeroU32;

use dvt_contracts::{
    AppendRequest, BootstrapRequest, Checkpoint, ClaimRequest, ConflictPolicy, DeadLetterQuery,
    Destination, Event, EventType, Expected, Jitter, MAX_CALL_EVENTS, OnExhausted, OperatorNote,
    PendingQuery, ProviderRef, ResolutionKind, RetryPolicy, RunKey, RunMetadata, RunQuery,
    RunStatus, SafeText, TenantId,
};

use super::call::{Call, Grant};
use super::reference::Model;
use super::snap::STEP;
use crate::fixture::{
    attempt, event, key, metadata_of, moment, note, notes, payload, run_of, step,
};

/// The random bytes that one call is made of.
pub(super) type Throw = [u8; 12];

/// Runs of two tenants with overlapping names; the first is the most frequent one.
pub(super) fn run(die: u8) -> RunKey {
    match die % 8 {
        0..=3 => run_of("t", "a"),
        4 => run_of("t", "B"),
        5 => run_of("t", "c"),
        6 => run_of("tu", "a"),
        _ => run_of("tu", "d"),
    }
}

/// Metadata that often is the usual one, else differs in some part.
fn metadata_by(die: u8) -> RunMetadata {
    let (usual, other) = (metadata_of("usual"), metadata_of("other"));
    match die % 8 {
        0..=4 => usual,
        5 => RunMetadata {
            environment_id: other.environment_id,
            ..usual
        },
        6 => RunMetadata {
            plan_version: other.plan_version,
            ..usual
        },
        _ => other,
    }
}

fn key_text(die: u8) -> String {
    match die {
        0..=239 => format!("k{}", die % 12),
        240..=244 => "K1".to_owned(),
        245..=249 => "k1 ".to_owned(),
        _ => "k".repeat(255),
    }
}

fn make_event(die: u8, content: u8) -> Event {
    // 0 to 7 are the runs' usual life, the rest makes it unusual.
    let text = key_text(die);
    let plain = match content % 16 {
        0..=2 => note(&text),
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
        _ => rebuilt(&plain).unwrap_or(plain),
    }
}

/// The event at the end of time and, where a step is optional, with one.
fn rebuilt(plain: &Event) -> Option<Event> {
    let other = matches!(plain.event_type(), EventType::Other(_));
    let optional = other.then(|| step(EventType::StepStarted, "s", "k").step_id().cloned());
    let event_type = plain.event_type().clone();
    let step = optional.unwrap_or_else(|| plain.step_id().cloned());
    let emitted_at = moment("9999-12-31T23:59:59.999999Z");
    let event = Event::new(
        event_type,
        step,
        key(plain.idempotency_key().as_str()),
        emitted_at,
    );
    event
        .ok()
        .map(|event| event.with_payload(plain.payload().clone()))
}

fn events(dice: &[u8]) -> Vec<Event> {
    dice.chunks_exact(2)
        .map(|pair| make_event(pair[0], pair[1]))
        .collect()
}

fn destination(die: u8) -> Option<Destination> {
    Destination::new(["stdout:", "nats://a", "nats://b"][usize::from(die % 3)]).ok()
}

fn some_tenant(die: u8) -> Option<TenantId> {
    (!die.is_multiple_of(3)).then(|| run(die % 3 * 3).tenant_id)
}

fn grant(grants: &[Grant], die: u8) -> Option<&Grant> {
    // The latest claims are the interesting ones.
    grants
        .iter()
        .rev()
        .nth(usize::from(die % 8) * usize::from(die >= 128 || die % 8 < 3))
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
    let end = if die.is_multiple_of(2) {
        OnExhausted::Park
    } else {
        OnExhausted::Skip
    };
    let attempts = NonZeroU32::MIN.saturating_add(u32::from(die / 2 % 3));
    // The second delay would be twice the first, but for the cap.
    RetryPolicy::new(attempts, STEP * 2, STEP * 3)
        .unwrap_or_default()
        .with_jitter(Jitter::None)
        .with_on_exhausted(end)
}

/// What a throw leads to: a call, and throws that go before those still to come.
pub(super) struct Turn {
    pub(super) call: Option<Call>,
    pub(super) next: Vec<Throw>,
}

/// A run's whole end: it is cancelled, everything is claimed and acknowledged, and the run pruned and asked about.
fn ending(run: u8, last: u8) -> Vec<Throw> {
    let bytes = |kind: u8, rest: [u8; 7]| {
        let [a, b, c, d, e, f, g] = rest;
        [kind, a, b, c, d, e, f, g, 0, 0, 0, 0]
    };
    let cancel = bytes(CANCEL, [run, 0, 0, 0, 0, 0, 0]);
    let claim = bytes(CLAIM, [255, 255, 1, 2, 0, 0, 0]);
    let acknowledge = bytes(ACKNOWLEDGE_ALL, [0; 7]);
    let prune = bytes(PRUNE, [run, 0, 0, 0, 0, 0, 0]);
    let after = match last % 6 {
        0 => prune,
        1 => bytes(GET_RUN, [run, 0, 0, 0, 0, 0, 0]),
        2 => bytes(APPEND, [run, 0, 255, last, 0, 1, 0]),
        3 => bytes(BOOTSTRAP, [run, 0, 0, 0, 0, 0, 0]),
        4 => bytes(SAVE_PROVIDER_REF, [run, 0, 0, 0, 0, 0, 0]),
        _ => bytes(LIST_EVENTS, [run, 0, 5, 0, 0, 0, 0]),
    };
    let save = bytes(SAVE_CHECKPOINT, [run, last / 6, last, 0, 0, 0, 0]);
    vec![
        cancel,
        save,
        claim,
        acknowledge,
        prune,
        bytes(ADVANCE, [0; 7]),
        after,
    ]
}

const BOOTSTRAP: u8 = 0;
const APPEND: u8 = 6;
const GET_RUN: u8 = 19;
const LIST_EVENTS: u8 = 25;
const SAVE_PROVIDER_REF: u8 = 27;
const SAVE_CHECKPOINT: u8 = 29;
const PRUNE: u8 = 32;
const CLAIM: u8 = 34;
const ADVANCE: u8 = 61;
/// Kinds that only follow-up throws have.
const CANCEL: u8 = 64;
const ACKNOWLEDGE_ALL: u8 = 65;
const KINDS: u8 = 64;

/// The call that a throw means in the given state.
pub(super) fn turn(throw: &Throw, model: &Model, grants: &[Grant]) -> Turn {
    let [kind, a, b, ..] = *throw;
    if kind % KINDS == PRUNE && kind != PRUNE && b % 4 > 0 {
        return Turn {
            call: None,
            next: ending(a, b),
        };
    }
    let kind = if kind > ACKNOWLEDGE_ALL {
        kind % KINDS
    } else {
        kind
    };
    Turn {
        call: call(kind, throw, model, grants),
        next: Vec::new(),
    }
}

/// `None` if the call takes a claim and there was none.
fn call(kind: u8, throw: &Throw, model: &Model, grants: &[Grant]) -> Option<Call> {
    let [_, a, b, c, d, e, ..] = *throw;
    let rest = &throw[4..];
    let head = |run: &RunKey| model.runs.get(run).map_or(0, |entry| entry.head());
    let operator = || OperatorNote::new("operator", format!("because {}", d % 4));
    Some(match kind {
        BOOTSTRAP..=5 => Call::Bootstrap(BootstrapRequest {
            run: run(a),
            metadata: metadata_by(b),
            events: events(&rest[..usize::from(c % 4) * 2]),
        }),
        APPEND..=18 => Call::Append(requests(throw, &head)),
        GET_RUN..=21 => Call::GetRun(run(a)),
        22 | 23 => Call::ListRuns(RunQuery {
            status: (b % 3 == 0).then(|| RunStatus::ALL[usize::from(c % 6)]),
            project_id: (d % 4 == 0).then(|| metadata_of("usual").project_id),
            environment_id: (d % 4 < 2).then(|| metadata_of("usual").environment_id),
            created_since: (c % 3 == 0).then(|| model.earlier(u32::from(c / 3 % 4))),
            created_before: (c % 7 == 1).then(|| model.earlier(u32::from(c / 7 % 4))),
            pruned: (e % 5 == 0).then_some(b % 2 == 0),
            after: (e % 3 == 0).then(|| run(e / 3).run_id),
            limit: u32::from(d % 5),
            ..RunQuery::new(run(a).tenant_id)
        }),
        24 => Call::ListTenants((a % 2 == 0).then(|| run(b).tenant_id), u32::from(c % 4)),
        LIST_EVENTS | 26 => {
            let after = if b > 250 { u64::MAX } else { u64::from(b % 6) };
            Call::ListEvents(run(a), after, u32::from(c % 6))
        }
        SAVE_PROVIDER_REF => Call::SaveProviderRef(
            run(a),
            ProviderRef::new("p", None, ["w", "x"][usize::from(b % 2)], None).ok()?,
        ),
        28 => Call::LoadCheckpoint(run(a)),
        SAVE_CHECKPOINT..=31 => {
            let run_seq = (head(&run(a)) + 1).saturating_sub(u64::from(b % 4));
            Call::SaveCheckpoint(
                run(a),
                Checkpoint::sealed(run_seq, 1, format!(" state {c} ")),
            )
        }
        PRUNE | 33 => Call::Prune(run(a)),
        CLAIM..=40 => Call::Claim(ClaimRequest {
            max_runs: u32::from(a % 4) + u32::from(a > 127) * 10,
            max_events_per_run: u32::from(b % 4) + u32::from(b > 127) * 10,
            max_bytes: if c % 4 == 0 { 1 } else { u64::MAX },
            lease: STEP * (u32::from(d % 3) * 2 + 1),
        }),
        41 | 42 => {
            let leases = [a, b]
                .iter()
                .filter_map(|die| grant(grants, *die))
                .cloned()
                .collect();
            Call::Extend(leases, STEP * (u32::from(d % 3) * 2 + 1))
        }
        43..=46 => {
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
        51 | 52 => Call::Release(
            [a, b]
                .iter()
                .filter_map(|die| grant(grants, *die))
                .cloned()
                .collect(),
        ),
        53 => Call::ListPending(PendingQuery {
            tenant_id: some_tenant(a),
            run: (d % 8 == 0).then(|| run(e)),
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
            let kind = if b % 3 == 0 {
                ResolutionKind::Skipped
            } else {
                ResolutionKind::Retried
            };
            Call::Resolve(run(a), u64::from(c % 4), kind, operator())
        }
        57 => Call::Park(run(a), operator()),
        58 => Call::Bind(destination(a)?),
        59 => Call::Retarget(destination(a)?, destination(b)?, operator()),
        60 => Call::Stats,
        CANCEL => {
            let number = head(&run(a));
            let cancel = event(EventType::RunCancelled, &format!("cancel {number}"));
            Call::Append(vec![AppendRequest::new(run(a), vec![cancel])])
        }
        ACKNOWLEDGE_ALL => Call::MarkDelivered(
            grants
                .iter()
                .rev()
                .take(5)
                .map(|g| (g.clone(), g.last))
                .collect(),
        ),
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
        let policy = if die >= 192 {
            ConflictPolicy::Reject
        } else {
            ConflictPolicy::FirstWins
        };
        AppendRequest::new(run, events)
            .expecting(expected)
            .on_conflict(policy)
    };
    match b % 4 {
        _ if a == 255 => Vec::new(),
        _ if a == 254 && b < 32 => vec![request(run(0), notes(1, MAX_CALL_EVENTS + 1), c)],
        0 | 1 => vec![request(
            run(a),
            events(&rest[..usize::from(b / 4 % 4) * 2 + 2]),
            c,
        )],
        2 => vec![
            request(run(a), events(&rest[..4]), c),
            request(run(a / 8), events(&rest[4..]), c.rotate_left(3)),
        ],
        _ if b > 240 => vec![
            request(run(a), events(rest), c),
            request(run(a), Vec::new(), c),
        ],
        _ => vec![
            request(run(a), events(&rest[..2]), c),
            request(run(a / 8), events(&rest[2..6]), c.rotate_left(3)),
            request(run(a / 32), events(&rest[6..]), c.rotate_left(5)),
        ],
    }
}
