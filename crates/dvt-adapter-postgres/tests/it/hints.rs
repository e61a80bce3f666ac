//! What a writer hints at, and what that costs its callers.

use std::time::{Duration, Instant};

use dvt_adapter_postgres::PostgresStore;
use dvt_conformance::fixture::{by_ann, claim_all, metadata, note, notes, policy, run};
use dvt_contracts::{
    BootstrapRequest, Disposition, OutboxStorage as _, RunStateStore as _, RunStateStoreExt as _,
    SafeText,
};
use sqlx::Connection as _;
use sqlx::postgres::PgListener;

use crate::ground::{Ground, becomes_true};
use crate::migrations::quietly;
use crate::own_server::OwnServer;
use crate::server::{TestSchema, connect, connect_to, execute, random_name, url};
use crate::stage::{bootstrap, named, number, request};
use crate::trial::{Outcome, trials};

trials![
    whatever_makes_a_run_due_is_hinted_at,
    a_duplicate_is_not_hinted_at,
    nothing_is_sent_unless_asked_for,
    a_transaction_is_hinted_at_by_its_owner,
    a_burst_shares_hints_and_its_last_append_has_one,
    an_append_does_not_wait_for_a_hint,
    a_hint_that_was_cut_short_is_in_nobodys_way,
];

/// As in the sender.
const GAP: Duration = Duration::from_millis(5);

/// A store that hints.
pub(crate) async fn hinting() -> Ground {
    Ground::with(|settings| settings.with_hints(true)).await
}

/// Somebody else who listens on the schema's channel.
async fn listener(url: &str, schema: &TestSchema) -> PgListener {
    let mut listener = PgListener::connect(url).await.unwrap();
    let channel = format!("dvt_{}", schema.name());
    listener.listen(&channel).await.unwrap();
    listener
}

/// What comes next: nothing is what a hint says.
async fn heard(listener: &mut PgListener) -> String {
    let next = tokio::time::timeout(Duration::from_secs(10), listener.recv()).await;
    let notification = next.expect("a notification within 10 s").unwrap();
    notification.payload().to_owned()
}

/// Says something else than a hint does.
async fn say(word: &str, schema: &TestSchema) {
    let sql = format!("NOTIFY dvt_{}, '{word}'", schema.name());
    execute(&mut connect().await, sql).await;
}

async fn whatever_makes_a_run_due_is_hinted_at() -> Outcome {
    let ground = hinting().await;
    let (store, run) = (&ground.store, run("run"));
    let mut listener = listener(&url(), &ground.schema).await;

    let bootstrap = BootstrapRequest {
        run: run.clone(),
        metadata: metadata(),
        events: notes(1, 1),
    };
    assert!(store.bootstrap_run(&bootstrap).await?.created);
    assert_eq!(heard(&mut listener).await, "");

    store.append_and_enqueue(request(&run, note("k2"))).await?;
    assert_eq!(heard(&mut listener).await, "");

    let others = [request(&run, note("k2")), request(&run, note("k3"))];
    let replies = store.append_batch(&others).await?;
    let heads = replies.into_iter().map(|reply| reply.unwrap().head);
    assert!(heads.eq([2, 3]));
    assert_eq!(heard(&mut listener).await, "");

    for (number, resolve) in [(1, "retry"), (2, "skip")] {
        let claimed = store.claim(&claim_all()).await?;
        let error = SafeText::new("no");
        store
            .mark_failed(&claimed[0].lease, 1, &error, &policy(1))
            .await?;
        let letter = match resolve {
            "retry" => store.retry_dead_letter(&run, number, &by_ann()).await?,
            _ => store.skip_dead_letter(&run, number, &by_ann()).await?,
        };
        assert_eq!(letter.dead_letter_no, number);
        assert_eq!(heard(&mut listener).await, "", "{resolve}");
    }
    Ok(())
}

async fn a_duplicate_is_not_hinted_at() -> Outcome {
    let ground = Ground::new().await;
    let run = ground.bootstrap("run").await;
    ground.append(&run, notes(1, 1)).await?;
    let settings = ground.schema.settings().with_hints(true);
    let store = PostgresStore::connect(settings).await?;
    let mut listener = listener(&url(), &ground.schema).await;

    for _ in 0..50 {
        let reply = store.append_and_enqueue(request(&run, note("k1"))).await?;
        let same = Disposition::Duplicate { same_content: true };
        assert_eq!(reply.events[0].disposition, same);
    }
    say("end", &ground.schema).await;

    assert_eq!(heard(&mut listener).await, "end");
    Ok(())
}

async fn nothing_is_sent_unless_asked_for() -> Outcome {
    let ground = Ground::new().await;
    let run = ground.bootstrap("run").await;
    let mut listener = listener(&url(), &ground.schema).await;

    for event in notes(1, 50) {
        ground.append(&run, vec![event]).await?;
        ground.store.hint();
    }
    say("end", &ground.schema).await;

    assert_eq!(heard(&mut listener).await, "end");
    Ok(())
}

async fn a_transaction_is_hinted_at_by_its_owner() -> Outcome {
    let ground = hinting().await;
    let run = ground.bootstrap("run").await;
    let mut listener = listener(&url(), &ground.schema).await;
    let mut conn = connect().await;

    let mut transaction = conn.begin().await?;
    let requests = [request(&run, note("k1"))];
    for reply in ground.store.append_in(&mut transaction, &requests).await? {
        assert_eq!(reply?.head, 1);
    }
    transaction.commit().await?;
    say("committed", &ground.schema).await;
    ground.store.hint();

    assert_eq!(heard(&mut listener).await, "committed");
    assert_eq!(heard(&mut listener).await, "");
    Ok(())
}

async fn a_burst_shares_hints_and_its_last_append_has_one() -> Outcome {
    let ground = hinting().await;
    let names: Vec<String> = (0..20).map(|number| format!("run-{number}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let runs = bootstrap(&ground.store, &names).await;
    let mut listener = listener(&url(), &ground.schema).await;
    let mut conn = ground.connection().await;
    let (begun, mut hints, mut expected) = (Instant::now(), 0, 0);

    // Many small bursts have many ends.
    for (round, appends) in std::iter::once(50)
        .chain(std::iter::repeat_n(1, 100))
        .enumerate()
    {
        expected += appends * runs.len() as i64;
        let tasks = runs.iter().cloned().map(|run| {
            let store = ground.store.clone();
            tokio::spawn(async move {
                for number in 0..appends {
                    let event = note(&format!("{round}-{number}"));
                    store.append_and_enqueue(request(&run, event)).await?;
                }
                Ok::<_, dvt_contracts::StoreError>(())
            })
        });
        let tasks: Vec<_> = tasks.collect();
        // Whoever looks at every hint, and only then, sees everything.
        while {
            heard(&mut listener).await;
            hints += 1;
            number(&mut conn, "SELECT count(*) FROM run_events").await < expected
        } {}
        for task in tasks {
            task.await??;
        }
    }

    let most = begun.elapsed().as_millis() / GAP.as_millis() + 1;
    assert!(hints <= most, "{hints} hints, expected {most} at most");
    println!("{expected} appends, {hints} hints in {:?}", begun.elapsed());
    Ok(())
}

async fn an_append_does_not_wait_for_a_hint() -> Outcome {
    let Some(server) = OwnServer::start() else {
        return Ok(());
    };
    let schema = TestSchema::create();
    quietly(&schema.settings_by(&server.url())).await?;
    let name = random_name();
    let mut own: url::Url = server.url().parse()?;
    named(&mut own, &name);
    own.query_pairs_mut()
        .append_pair("options[synchronous_commit]", "local");
    let settings = schema.settings_by(own.as_str()).with_hints(true);
    let store = PostgresStore::connect(settings.with_max_connections(2)?).await?;
    let runs = bootstrap(&store, &["run"]).await;
    let mut listener = listener(&server.url(), &schema).await;
    let mut admin = connect_to(&server.url()).await;
    // Somebody's notification is committed and waits for a standby: until that comes, nobody else's can be.
    execute(
        &mut admin,
        "ALTER SYSTEM SET synchronous_standby_names = 'absent'",
    )
    .await;
    execute(&mut admin, "SELECT pg_reload_conf()").await;
    let slow = server.url();
    let notifying = tokio::spawn(async move {
        let mut conn = connect_to(&slow).await;
        // A notification by itself writes nothing that a commit would wait for.
        let told =
            "BEGIN; SELECT pg_logical_emit_message(true, 'others', ''); NOTIFY others; COMMIT";
        execute(&mut conn, told).await;
    });
    let in_commit = becomes_true(async || {
        // A vacuum of the server's own may wait with it.
        let waits = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'";
        number(&mut admin, waits).await >= 1
    });
    assert!(in_commit.await, "no commit waits for the standby");

    let mut appended = 0;
    let mut append = async || {
        appended += 1;
        let event = note(&format!("k{appended}"));
        let reply = store.append_and_enqueue(request(&runs[0], event)).await;
        assert_eq!(reply.unwrap().head, appended);
    };
    let hint_waits = becomes_true(async || {
        append().await;
        let waits = format!(
            "SELECT count(*) FROM pg_stat_activity WHERE application_name = '{name}' AND wait_event = 'object'"
        );
        number(&mut admin, &waits).await == 1
    });
    assert!(hint_waits.await, "no hint waits");
    let begun = Instant::now();
    for _ in 0..20 {
        append().await;
    }
    // If each had waited until its hint was given up, that would have been the time.
    let together = 20 * Duration::from_millis(100);
    assert!(begun.elapsed() < together, "{:?}", begun.elapsed());
    assert!(!notifying.is_finished());

    notifying.abort();
    execute(&mut admin, "ALTER SYSTEM RESET synchronous_standby_names").await;
    execute(&mut admin, "SELECT pg_reload_conf()").await;
    append().await;
    assert_eq!(heard(&mut listener).await, "");
    Ok(())
}

async fn a_hint_that_was_cut_short_is_in_nobodys_way() -> Outcome {
    let ground = hinting().await;
    let run = ground.bootstrap("run").await;
    let mut listener = listener(&url(), &ground.schema).await;
    let store = ground.store.clone();
    let elsewhere = std::thread::spawn(move || {
        // No runtime, and one that ends before it has done anything.
        store.hint();
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        let runtime = runtime.unwrap();
        let _inside = runtime.enter();
        store.hint();
    });
    elsewhere.join().unwrap();
    say("begin", &ground.schema).await;

    ground.append(&run, notes(1, 1)).await?;

    assert_eq!(heard(&mut listener).await, "begin");
    assert_eq!(heard(&mut listener).await, "");
    Ok(())
}
