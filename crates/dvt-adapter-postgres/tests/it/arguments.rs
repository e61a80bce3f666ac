//! Arguments of statements as SQL, for the landscape.

use crate::landscape::{BIG, RUNS};

pub(crate) const TOKEN: &str = "11111111-1111-1111-1111-111111111111";

/// `ARRAY[…]` of one text for each number.
fn texts(numbers: impl Iterator<Item = usize>, text: impl Fn(usize) -> String) -> String {
    let quoted: Vec<String> = numbers
        .map(|number| format!("'{}'", text(number)))
        .collect();
    format!("ARRAY[{}]", quoted.join(","))
}

/// `ARRAY[value, value …]`
pub(crate) fn same(value: &str, count: usize, of: &str) -> String {
    format!("array_fill({value}::{of}, ARRAY[{count}])")
}

fn tenants(count: usize) -> String {
    texts(spread(count), |run| format!("t{}", run % 10))
}

fn runs(count: usize) -> String {
    texts(spread(count), |run| format!("r{run:05}"))
}

/// So many runs in the order of their keys, from all over, none of them parked: those of tenant 4.
fn spread(count: usize) -> impl Iterator<Item = usize> {
    (4..RUNS)
        .step_by(RUNS / count.max(10))
        .filter(|run| run % 10 == 4)
        .take(count)
}

pub(crate) fn leased(count: usize) -> String {
    format!(
        "UPDATE outbox SET lease_token = '{TOKEN}', lease_expires_at = due_at + interval '1 hour' \
         WHERE (tenant_id, run_id) IN (SELECT * FROM unnest({}, {}))",
        tenants(count),
        runs(count),
    )
}

pub(crate) fn leases(count: usize) -> String {
    format!(
        "{}, {}, {}",
        tenants(count),
        runs(count),
        same(&format!("'{TOKEN}'"), count, "uuid")
    )
}

/// `ARRAY[…]` of one number for each number.
fn numbers(numbers: impl Iterator<Item = usize>) -> String {
    let digits: Vec<String> = numbers.map(|number| number.to_string()).collect();
    format!("ARRAY[{}]", digits.join(","))
}

/// An append of so many events to each of so many runs, by the statement that looks for keys.
pub(crate) fn append(requests: usize, events: usize) -> String {
    let sizes = same("2", requests * events, "bigint");
    format!("{}, {sizes}, 0", requested(requests, events))
}

/// The same by the one that does not.
pub(crate) fn append_new(requests: usize, events: usize) -> String {
    format!("{}, 0", requested(requests, events))
}

fn requested(requests: usize, events: usize) -> String {
    let all = requests * events;
    format!(
        "{}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}",
        tenants(requests),
        runs(requests),
        same("NULL", requests, "bigint"),
        same("'123456'", requests, "text"),
        numbers((0..requests).map(|request| request * events)),
        same(&events.to_string(), requests, "bigint"),
        numbers((0..all).map(|event| event / events + 1)),
        same("'Note'", all, "text"),
        same("NULL", all, "text"),
        same("1", all, "bigint"),
        same("1", all, "bigint"),
        texts(0..all, |event| format!("new-{event}")),
        same("'2026-01-02'", all, "timestamptz"),
        same("'{}'", all, "text"),
    )
}

/// An append of so many events to the big run, with the keys of these numbers: those up to a hundred thousand are known.
pub(crate) fn known(first: usize, events: usize) -> String {
    let (tenant, run) = BIG;
    format!(
        "ARRAY['{tenant}'], ARRAY['{run}'], ARRAY[NULL::bigint], ARRAY['123456'], ARRAY[0], ARRAY[{events}], \
             {}, {}, {}, {}, {}, {}, {}, {}, {}, 0",
        same("1", events, "bigint"),
        same("'Note'", events, "text"),
        same("NULL", events, "text"),
        same("1", events, "bigint"),
        same("1", events, "bigint"),
        texts(first..first + events, |seq| format!("k{seq}")),
        same("'2026-01-02'", events, "timestamptz"),
        same("'{\"row\": 1}'", events, "text"),
        same("10", events, "bigint"),
    )
}

/// Fifty short events that are [`stored`] behind the ninety of run 4, and a hundred of the big run: of different sizes, so that it
/// matters whose they are.
pub(crate) fn known_of_two() -> String {
    let (tenant, run) = BIG;
    format!(
        "ARRAY['t4', '{tenant}'], ARRAY['r00004', '{run}'], {}, {}, ARRAY[0, 50], ARRAY[50, 100], \
         {} || {}, {}, {}, {}, {}, {} || {}, {}, {} || {}, {} || {}, 0",
        same("NULL", 2, "bigint"),
        same("'123456'", 2, "text"),
        same("1", 50, "bigint"),
        same("2", 100, "bigint"),
        same("'Note'", 150, "text"),
        same("NULL", 150, "text"),
        same("1", 150, "bigint"),
        same("1", 150, "bigint"),
        texts(1..51, |seq| format!("short-{seq}")),
        texts(77_777..77_877, |seq| format!("k{seq}")),
        same("'2026-01-02'", 150, "timestamptz"),
        same("'{}'", 50, "text"),
        same("'{\"row\": 1}'", 100, "text"),
        same("2", 50, "bigint"),
        same("10", 100, "bigint"),
    )
}

/// Stores so many more events, with keys that are numbered from 1.
pub(crate) fn stored(
    (tenant, run): (&str, &str),
    after_seq: usize,
    events: usize,
    key: &str,
    payload: &str,
) -> String {
    format!(
        "INSERT INTO run_events ( \
             tenant_id, run_id, run_seq, event_type, logical_attempt, engine_attempt, idempotency_key, emitted_at, persisted_at, \
             payload, payload_size \
         ) \
         SELECT '{tenant}', '{run}', {after_seq} + seq, 'Note', 1, 1, '{key}-' || seq, now(), now(), new.payload::json, \
                octet_length(new.payload) \
         FROM generate_series(1, {events}) AS seq \
         CROSS JOIN (SELECT {payload}::text AS payload) AS new"
    )
}
