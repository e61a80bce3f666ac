//! `dvt outbox retry --all` that is killed and repeated: CASES J 94.

use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use crate::database::{Database, Ran};

/// Parked runs, each with one dead letter.
const LETTERS: i64 = 100_000;

/// Runs that died of an outage. From here on nothing may touch a dead letter that is resolved.
const DEAD: &str = "
    INSERT INTO run_metadata (tenant_id, run_id, project_id, environment_id, plan_id, plan_version, created_at)
    SELECT 't' || n % 3, 'r' || n, 'p', 'e', 'plan', '1', now() FROM generate_series(1, LETTERS) AS n;
    INSERT INTO run_events (tenant_id, run_id, run_seq, event_type, logical_attempt, engine_attempt, idempotency_key,
                            emitted_at, persisted_at, payload, payload_size)
    SELECT tenant_id, run_id, 1, 'RunStarted', 1, 1, 'k', now(), now(), '1', 1 FROM run_metadata;
    INSERT INTO outbox (tenant_id, run_id, last_seq, last_persisted_at, status, pending_since, claim_no, attempts, last_error,
                        dead_letters, parked_at)
    SELECT tenant_id, run_id, 1, now(), 'Running', now(), 1, 1, '503', 1, now() FROM run_metadata;
    INSERT INTO outbox_dead_letters (tenant_id, run_id, dead_letter_no, run_seq, attempts, cause, error, dead_at)
    SELECT tenant_id, run_id, 1, 1, 1, 'AttemptsExhausted', '503', now() FROM run_metadata;
    CREATE FUNCTION refuse_twice() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN RAISE EXCEPTION 'dead letter of run % is resolved twice', OLD.run_id; END $$;
    CREATE TRIGGER refuse_twice BEFORE UPDATE OR DELETE ON outbox_dead_letters
    FOR EACH ROW WHEN (OLD.resolution IS NOT NULL) EXECUTE FUNCTION refuse_twice();
    ANALYZE;
";

pub(crate) fn all_dead_letters_are_retried_once_however_often_it_is_killed(database: &Database) {
    database.execute(&DEAD.replace("LETTERS", &LETTERS.to_string()));
    let mut seed = uuid::Uuid::new_v4().as_u128();
    let mut random = |below: i64| {
        seed = seed
            .wrapping_mul(0x2360_ed05_1fc6_5da4_4385_df64_9fcc_f645)
            .wrapping_add(1);
        i64::try_from(seed >> 96).unwrap() % below
    };
    for operator in ["first", "second", "third", "fourth"] {
        let before = retried(database);
        // More than the one before can have left to the server.
        let goal = before + 100 + random(LETTERS / 8);
        let mut child = retry_all(database, operator);
        wait_for(&mut child, || retried(database) >= goal);
        child.kill().unwrap();
        child.wait().unwrap();
        let after = retried(database);
        assert!(goal <= after && after < LETTERS, "{operator}: {after}");
    }
    let left = LETTERS - retried(database);
    let last = retry_all(database, "last").wait_with_output().unwrap();
    let summary = Ran::from(last).done().json();

    // The server may have finished what the killed ones had sent.
    let counted = summary["retried"].as_i64().unwrap();
    assert!(left - 8 <= counted && counted <= left, "{left}: {summary}");
    assert_eq!(summary["complete"], true);
    assert_eq!(
        database.count("SELECT count(*) FROM outbox_dead_letters"),
        LETTERS
    );
    assert_eq!(retried(database), LETTERS);
    let by = "SELECT count(DISTINCT resolved_by) FROM outbox_dead_letters";
    assert_eq!(database.count(by), 5);
    let due = "SELECT count(*) FROM outbox
               WHERE due_at IS NOT NULL AND parked_at IS NULL AND delivered_seq = 0 AND attempts = 0
                 AND last_error IS NULL AND dead_letters = 1";
    assert_eq!(database.count(due), LETTERS);
    let again = Ran::from(retry_all(database, "again").wait_with_output().unwrap());
    assert_eq!(again.done().json()["retried"], 0);
}

fn retry_all(database: &Database, operator: &str) -> Child {
    database
        .command(&["outbox", "retry", "--all", "--json", "--by", operator])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

fn retried(database: &Database) -> i64 {
    database.count("SELECT count(*) FROM outbox_dead_letters WHERE resolution = 'Retried'")
}

/// Asks until it is so; the process must not end before.
fn wait_for(child: &mut Child, so: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(120);
    while !so() {
        assert!(Instant::now() < deadline, "the command does not get on");
        assert!(child.try_wait().unwrap().is_none(), "the command has ended");
        // Asking must not keep the server from the work that is asked about.
        std::thread::sleep(Duration::from_millis(50));
    }
}
