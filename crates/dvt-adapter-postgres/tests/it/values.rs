//! What goes in comes out, and what somebody put in by hand breaks nothing.

use dvt_conformance::fixture::{claim_all, note, run};
use dvt_contracts::{
    BoxError, ErrorClass, Event, OutboxStorage as _, Payload, PendingQuery, RunQuery,
    RunStateStore as _,
};
use sqlx::Executor as _;
use sqlx::{AssertSqlSafe, PgConnection};

use crate::ground::{Ground, bootstrap};
use crate::server::execute;
use crate::trial::{Outcome, trials};

trials![
    m110_every_accepted_payload_is_kept_byte_for_byte,
    m110_what_the_port_accepts_the_server_accepts,
    m112_a_moment_out_of_range_is_an_error_and_no_panic,
    m112_the_tables_refuse_a_moment_out_of_range,
    an_event_that_breaks_its_rules_is_named_and_its_claim_is_counted,
];

/// CASES M 110: in the log, in a claim, in a duplicate's reply and in the table itself.
async fn m110_every_accepted_payload_is_kept_byte_for_byte() -> Outcome {
    let ground = Ground::new().await;
    let run = ground.bootstrap("run").await;
    let deep = format!("{}1{}", "[".repeat(64), "]".repeat(64));
    let large = format!("\"{}\"", "x".repeat(1_048_574));
    let texts = [
        "null",
        "0",
        "-0",
        "1e400",
        "1e100000",
        "-1.50E+07",
        "1.10",
        "9223372036854775808",
        "1234567890123456789",
        "\"\"",
        "\"\\u00e9 \u{e9} e\u{301}\"",
        "\"\\ud83d\\ude00 \u{1f600}\"",
        "\"\\u0001\\b\\/\\\\\"",
        "\"\u{7f}\u{ffff}\u{2028}\"",
        "{\"b\": 1, \"a\": 2, \"b\": 3}",
        "{ \"a\" :\t[ 1 ,\r\n 2 ] }",
        "{}",
        "[ ]",
        "{\"\": {\"\": \"\"}}",
        "\"'; DROP TABLE outbox; --\"",
        "\"$1 %s \\\\x00 {} \u{feff}\"",
        deep.as_str(),
        large.as_str(),
    ];
    let events: Vec<Event> = texts
        .iter()
        .enumerate()
        .map(|(number, text)| Ok(note(&format!("k{number}")).with_payload(Payload::new(text)?)))
        .collect::<Result<_, BoxError>>()?;

    ground.append(&run, events.clone()).await?;

    let again = ground.append(&run, events).await?;
    let answered: Vec<_> = again
        .events
        .iter()
        .map(|event| event.stored.event.payload().as_str())
        .collect();
    assert_eq!(answered, texts);
    let page = ground.store.list_events(&run, 0, 100).await?;
    let listed: Vec<_> = page
        .events
        .iter()
        .map(|event| event.event.payload().as_str())
        .collect();
    assert_eq!(listed, texts);
    let claimed = ground.store.claim(&claim_all()).await?;
    let delivered: Vec<_> = claimed[0]
        .events
        .iter()
        .map(|event| event.event.payload().as_str())
        .collect();
    assert_eq!(delivered, texts);
    let columns: Vec<(String, i64)> =
        sqlx::query_as("SELECT payload::text, payload_size FROM run_events ORDER BY run_seq")
            .fetch_all(&mut ground.connection().await)
            .await?;
    for ((column, size), text) in columns.iter().zip(texts) {
        assert_eq!((column.as_str(), *size), (text, i64::try_from(text.len())?));
    }
    Ok(())
}

/// Numbers that look random and are the same each time.
struct Dice(u64);

impl Dice {
    fn throw<'a>(&mut self, sides: &[&'a str]) -> &'a str {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let side = usize::try_from(self.0 >> 33).unwrap() % sides.len();
        sides[side]
    }
}

/// CASES M 110: scraps of JSON thrown together. The port refuses most; the server takes each of the others, and keeps it.
async fn m110_what_the_port_accepts_the_server_accepts() -> Outcome {
    const SCRAPS: [&str; 32] = [
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        "\"a\"",
        "\"\\u0000\"",
        "\"\\ud800\"",
        "\"\\udc00\\ud800\"",
        "\"\\ud83d\\ude00\"",
        "1",
        "-",
        "0",
        "01",
        "1e5",
        "1e",
        ".5",
        "-0.0",
        "9e999",
        "true",
        "null",
        "nul",
        " ",
        "\n",
        "\"\\x\"",
        "\"\t\"",
        "\"\u{e9}\"",
        "\\",
        "\"b\":",
        "[1,2]",
        "{\"a\":1}",
    ];
    let ground = Ground::new().await;
    let run = ground.bootstrap("run").await;
    let mut dice = Dice(1);
    let lengths = ["1", "3", "5", "7"];
    let (mut accepted, mut refused) = (Vec::new(), 0);
    while accepted.len() < 900 {
        let length: usize = dice.throw(&lengths).parse()?;
        let mut text: String = (0..length).map(|_| dice.throw(&SCRAPS)).collect();
        if accepted.len() % 2 == 1 {
            // Something inside of something.
            text = format!("[{}, {{\"k\": {text}}}]", dice.throw(&SCRAPS));
        }
        match Payload::new(&text) {
            Ok(payload) => accepted.push(payload),
            Err(_) => refused += 1,
        }
    }
    assert!(refused > 900, "{refused}");
    let events = accepted.iter().enumerate();
    let events =
        events.map(|(number, payload)| note(&format!("k{number}")).with_payload(payload.clone()));

    ground.append(&run, events.collect()).await?;

    let page = ground.store.list_events(&run, 0, 1_000).await?;
    let kept: Vec<&Payload> = page
        .events
        .iter()
        .map(|event| event.event.payload())
        .collect();
    assert_eq!(kept, accepted.iter().collect::<Vec<_>>());
    Ok(())
}

/// Moments that the driver's usual types would add up to a panic.
const FAR: [&str; 5] = [
    "infinity",
    "-infinity",
    "10000-01-01 00:00:00+00",
    "294276-12-31 23:59:59.999999+00",
    "4713-01-01 00:00:00+00 BC",
];

/// CASES M 112: placed by hand, in every column that a port reads.
async fn m112_a_moment_out_of_range_is_an_error_and_no_panic() -> Outcome {
    let ground = Ground::new().await;
    let mut conn = ground.connection().await;
    drop_moment_check(&mut conn).await;
    for (number, moment) in FAR.iter().enumerate() {
        let emitted = format!("emitted-{number}");
        let persisted = format!("persisted-{number}");
        let created = format!("created-{number}");
        let pruned = format!("pruned-{number}");
        for run_id in [&emitted, &persisted, &created, &pruned] {
            bootstrap(&ground.store, &run(run_id)).await;
        }
        for (run_id, emitted_at, persisted_at) in [
            (&emitted, *moment, "2026-01-01"),
            (&persisted, "2026-01-01", *moment),
        ] {
            execute(&mut conn, format!(
                "INSERT INTO run_events (tenant_id, run_id, run_seq, event_type, logical_attempt, engine_attempt,
                     idempotency_key, emitted_at, persisted_at, payload, payload_size)
                 VALUES ('tenant', '{run_id}', 1, 'Note', 1, 1, 'k1', '{emitted_at}', '{persisted_at}', '1', 1);
                 UPDATE outbox SET last_seq = 1, due_at = now(), pending_since = now() WHERE run_id = '{run_id}'"
            ))
            .await;
        }
        execute(
            &mut conn,
            format!("UPDATE run_metadata SET created_at = '{moment}' WHERE run_id = '{created}'"),
        )
        .await;
        execute(
            &mut conn,
            format!("UPDATE outbox SET pruned_at = '{moment}' WHERE run_id = '{pruned}'"),
        )
        .await;

        let store = &ground.store;
        let classes = [
            store
                .list_events(&run(&emitted), 0, 10)
                .await
                .unwrap_err()
                .class(),
            store
                .list_events(&run(&persisted), 0, 10)
                .await
                .unwrap_err()
                .class(),
            ground
                .append(&run(&emitted), vec![note("k1")])
                .await
                .unwrap_err()
                .class(),
            store.get_run(&run(&created)).await.unwrap_err().class(),
            store
                .list_runs(&RunQuery::new(run("any").tenant_id))
                .await
                .unwrap_err()
                .class(),
            store
                .list_events(&run(&pruned), 0, 10)
                .await
                .unwrap_err()
                .class(),
            store.prune_run(&run(&pruned)).await.unwrap_err().class(),
            store.claim(&claim_all()).await.unwrap_err().class(),
        ];
        assert_eq!(classes, [ErrorClass::Bug; 8], "{moment}");

        execute(&mut conn, format!("UPDATE outbox SET due_at = '{moment}', pending_since = '{moment}' WHERE run_id = '{emitted}'")).await;
        let pending = store.list_pending(&PendingQuery::default()).await;
        assert_eq!(pending.unwrap_err().class(), ErrorClass::Bug, "{moment}");
        assert_eq!(
            store.stats().await.unwrap_err().class(),
            ErrorClass::Bug,
            "{moment}"
        );
        execute(
            &mut conn,
            "UPDATE outbox SET due_at = NULL, pending_since = NULL, delivered_seq = last_seq",
        )
        .await;
        // Its connections are as good as before.
        assert_eq!(store.get_run(&run(&emitted)).await?.head, 1);
        execute(
            &mut conn,
            format!("UPDATE run_metadata SET created_at = now() WHERE run_id = '{created}'"),
        )
        .await;
    }
    Ok(())
}

/// So that somebody can place by hand what no statement of the store writes.
async fn drop_moment_check(conn: &mut PgConnection) {
    execute(conn, "ALTER DOMAIN moment DROP CONSTRAINT moment_range").await;
}

/// CASES M 112: every moment of every table, by its domain.
async fn m112_the_tables_refuse_a_moment_out_of_range() -> Outcome {
    let ground = Ground::new().await;
    let run = ground.bootstrap("run").await;
    ground.append(&run, vec![note("k1")]).await?;
    let mut conn = ground.connection().await;
    for moment in FAR {
        for sql in [
            format!("UPDATE run_metadata SET created_at = '{moment}'"),
            format!("UPDATE outbox SET due_at = '{moment}'"),
            format!("UPDATE outbox SET pending_since = '{moment}'"),
            format!("UPDATE outbox SET last_persisted_at = '{moment}'"),
            format!(
                "UPDATE outbox SET lease_token = gen_random_uuid(), lease_expires_at = '{moment}'"
            ),
            format!("UPDATE outbox SET delivered_seq = 1, due_at = NULL, pruned_at = '{moment}'"),
            format!("UPDATE outbox SET due_at = NULL, dead_letters = 1, parked_at = '{moment}'"),
            format!(
                "INSERT INTO run_events SELECT tenant_id, run_id, 2, event_type, step_id, 1, 1, 'k2', '{moment}', now(), '1', 1 \
                 FROM run_events"
            ),
            format!(
                "INSERT INTO run_events SELECT tenant_id, run_id, 2, event_type, step_id, 1, 1, 'k2', now(), '{moment}', '1', 1 \
                 FROM run_events"
            ),
            format!(
                "INSERT INTO outbox_dead_letters (tenant_id, run_id, dead_letter_no, run_seq, attempts, cause, error, dead_at) \
                 SELECT tenant_id, run_id, 1, 1, 1, 'ParkedByOperator', 'e', '{moment}' FROM outbox"
            ),
        ] {
            let error = conn.execute(AssertSqlSafe(sql.clone())).await.unwrap_err();
            let state = error
                .as_database_error()
                .and_then(|error| error.code().map(|code| code.into_owned()));
            assert_eq!(state.as_deref(), Some("23514"), "{sql}: {error}");
        }
    }
    Ok(())
}

/// Four ways, each placed by hand in a run of its own. Whoever claims them counts a claim that nobody ended, so that they keep
/// nobody else from being delivered for ever.
async fn an_event_that_breaks_its_rules_is_named_and_its_claim_is_counted() -> Outcome {
    let ground = Ground::new().await;
    let mut conn = ground.connection().await;
    let deep = format!("{}{}", "[".repeat(65), "]".repeat(65));
    for (number, (event_type, step_id, key, payload)) in [
        ("", "NULL", "k1", "1"),
        ("Note", "'a|b'", "k1", "1"),
        ("Note", "NULL", "a\nb", "1"),
        ("Note", "NULL", "k1", deep.as_str()),
    ]
    .into_iter()
    .enumerate()
    {
        let run_id = format!("run-{number}");
        bootstrap(&ground.store, &run(&run_id)).await;
        execute(&mut conn, format!(
            "INSERT INTO run_events (tenant_id, run_id, run_seq, event_type, step_id, logical_attempt, engine_attempt,
                 idempotency_key, emitted_at, persisted_at, payload, payload_size)
             VALUES ('tenant', '{run_id}', 1, '{event_type}', {step_id}, 1, 1, '{key}', now(), now(), '{payload}', 1);
             UPDATE outbox SET last_seq = 1, due_at = now() WHERE run_id = '{run_id}'"
        ))
        .await;

        let read = ground.store.list_events(&run(&run_id), 0, 10).await;
        let claimed = ground.store.claim(&claim_all()).await;

        let (read, claimed) = (read.unwrap_err(), claimed.unwrap_err());
        assert_eq!(
            (read.class(), claimed.class()),
            (ErrorClass::Bug, ErrorClass::Bug)
        );
        for cause in [format!("{read:?}"), format!("{claimed:?}")] {
            assert!(cause.contains("event 1: "), "{cause}");
        }
        let unfinished: i64 = sqlx::query_scalar(AssertSqlSafe(format!(
            "SELECT unfinished_claims FROM outbox WHERE run_id = '{run_id}'"
        )))
        .fetch_one(&mut conn)
        .await?;
        assert_eq!(unfinished, 1, "{run_id}");
    }
    Ok(())
}
