//! Appending within a caller's own transaction, where the caller's settings and tables are not ours.

use dvt_conformance::fixture::{claim_all, note, payload, run};
use dvt_contracts::{
    AppendError, AppendRequest, ConflictPolicy, Disposition, ErrorClass, Expected,
    OutboxStorage as _, RunStateStore as _, RunStateStoreExt as _,
};
use sqlx::{AssertSqlSafe, Executor as _, Postgres, Transaction};

use crate::shop::{Shop, append_one};
use crate::stage::{hold, request};
use crate::trial::{Outcome, trials};

trials![
    a_commit_keeps_the_rows_of_both,
    after_a_rollback_nothing_is_there,
    the_callers_settings_are_back_in_the_same_transaction,
    a_commit_that_nobody_would_wait_for_is_waited_for,
    a_refusal_leaves_the_transaction_usable,
    several_requests_are_answered_one_after_another,
    an_aborted_transaction_is_an_error,
    after_an_error_even_a_commit_keeps_nothing,
];

async fn setting(transaction: &mut Transaction<'_, Postgres>, name: &str) -> String {
    let shown = sqlx::query_scalar(AssertSqlSafe(format!("SHOW {name}")));
    shown.fetch_one(&mut **transaction).await.unwrap()
}

async fn a_commit_keeps_the_rows_of_both() -> Outcome {
    let mut shop = Shop::open().await;
    let mut transaction = shop.order(1).await;

    let reply = append_one(&shop, &mut transaction, request(&shop.runs[0], note("k1"))).await?;
    transaction.commit().await?;

    assert_eq!((reply.head, reply.events[0].stored.run_seq), (1, 1));
    assert_eq!(reply.events[0].disposition, Disposition::Appended);
    assert_eq!(shop.orders().await, 1);
    let page = shop.store.list_events(&shop.runs[0], 0, 10).await?;
    assert_eq!(page.events, [reply.events[0].stored.clone()]);
    let claimed = shop.store.claim(&claim_all()).await?;
    assert_eq!(claimed.len(), 1);
    assert_eq!(claimed[0].events, page.events);
    shop.assert_in_order().await;
    Ok(())
}

async fn after_a_rollback_nothing_is_there() -> Outcome {
    let mut shop = Shop::open().await;
    shop.store
        .append_and_enqueue(request(&shop.runs[1], note("k1")))
        .await?;
    shop.store.claim(&claim_all()).await?;
    let mut transaction = shop.order(1).await;
    let both = [
        request(&shop.runs[0], note("k1")),
        request(&shop.runs[1], note("k2")),
    ];
    let replies = shop.store.append_in(&mut transaction, &both).await?;
    assert_eq!([replies[0].clone()?.head, replies[1].clone()?.head], [1, 2]);

    transaction.rollback().await?;

    assert_eq!(shop.orders().await, 0);
    assert_eq!(
        [
            shop.head(&shop.runs[0]).await,
            shop.head(&shop.runs[1]).await
        ],
        [0, 1]
    );
    assert!(
        shop.store
            .list_events(&shop.runs[0], 0, 10)
            .await?
            .events
            .is_empty()
    );
    assert!(shop.store.claim(&claim_all()).await?.is_empty());
    assert_eq!(shop.store.stats().await?.pending_events, 1);
    // The number is free, and so is the key.
    for both in both {
        let head = shop.head(&both.run).await;
        let reply = shop.store.append_and_enqueue(both).await?;
        assert_eq!(reply.events[0].disposition, Disposition::Appended);
        assert_eq!(reply.events[0].stored.run_seq, head + 1);
    }
    shop.assert_in_order().await;
    Ok(())
}

async fn the_callers_settings_are_back_in_the_same_transaction() -> Outcome {
    const NAMES: [&str; 3] = ["search_path", "plan_cache_mode", "enable_seqscan"];
    let shop = Shop::open().await;
    let theirs = shop.theirs.name();
    let mut appended = 0;
    for settings in [
        "SELECT 1".to_owned(),
        format!("SET LOCAL search_path = \"$user\", {theirs}, \"Odd \"\"name\"\"\""),
        "SET LOCAL plan_cache_mode = force_custom_plan; SET LOCAL enable_seqscan = on".to_owned(),
        "SET LOCAL plan_cache_mode = auto; SET LOCAL enable_seqscan = off".to_owned(),
        "SET LOCAL search_path = ''".to_owned(),
    ] {
        let mut transaction = shop.pool.begin().await?;
        let mut session = Vec::new();
        let mut before = Vec::new();
        for name in NAMES {
            session.push(setting(&mut transaction, name).await);
        }
        transaction.execute(AssertSqlSafe(settings.clone())).await?;
        for name in NAMES {
            before.push(setting(&mut transaction, name).await);
        }

        appended += 1;
        let event = note(&format!("k{appended}"));
        append_one(&shop, &mut transaction, request(&shop.runs[0], event)).await?;

        for (name, before) in NAMES.iter().zip(before) {
            assert_eq!(setting(&mut transaction, name).await, before, "{settings}");
        }
        transaction.commit().await?;
        let mut transaction = shop.pool.begin().await?;
        for (name, session) in NAMES.iter().zip(session) {
            assert_eq!(setting(&mut transaction, name).await, session, "{settings}");
        }
    }
    assert_eq!(shop.head(&shop.runs[0]).await, appended);
    shop.assert_in_order().await;
    Ok(())
}

/// Known events are answered without a wait, so what can be seen of the log has to be durable.
async fn a_commit_that_nobody_would_wait_for_is_waited_for() -> Outcome {
    let shop = Shop::open().await;
    for (before, after) in [("off", "on"), ("local", "local"), ("on", "on")] {
        let mut transaction = shop.pool.begin().await?;
        let set = format!("SET LOCAL synchronous_commit = {before}");
        transaction.execute(AssertSqlSafe(set)).await?;

        append_one(
            &shop,
            &mut transaction,
            request(&shop.runs[0], note(before)),
        )
        .await?;

        assert_eq!(setting(&mut transaction, "synchronous_commit").await, after);
        transaction.commit().await?;
    }
    assert_eq!(shop.head(&shop.runs[0]).await, 3);
    Ok(())
}

async fn a_refusal_leaves_the_transaction_usable() -> Outcome {
    let mut shop = Shop::open().await;
    let known = request(&shop.runs[0], note("k1"));
    let stored = shop.store.append_and_enqueue(known.clone()).await?.events[0].clone();
    let mut transaction = shop.order(1).await;

    let late = request(&shop.runs[0], note("k2")).expecting(Expected::At(0));
    let conflict = append_one(&shop, &mut transaction, late).await.unwrap_err();
    assert_eq!(
        conflict,
        AppendError::VersionConflict {
            run: shop.runs[0].clone(),
            expected: 0,
            actual: 1
        }
    );
    let missing = request(&run("nobody"), note("k1"));
    let missing = append_one(&shop, &mut transaction, missing).await;
    let nobody = run("nobody");
    assert_eq!(missing, Err(AppendError::RunNotFound { run: nobody }));
    let other = request(&shop.runs[0], note("k1").with_payload(payload("1")));
    let other = other.on_conflict(ConflictPolicy::Reject);
    let refused = append_one(&shop, &mut transaction, other)
        .await
        .unwrap_err();
    assert_eq!(
        refused,
        AppendError::IdempotencyConflict {
            run: shop.runs[0].clone(),
            idempotency_key: stored.stored.event.idempotency_key().clone(),
            stored: Some(Box::new(stored.stored.clone())),
        }
    );
    shop.store
        .append_in(
            &mut transaction,
            &[
                request(&shop.runs[0], note("k2")),
                AppendRequest::new(run("a"), vec![]),
            ],
        )
        .await
        .unwrap_err();
    let again = append_one(&shop, &mut transaction, known.expecting(Expected::At(7))).await?;
    assert_eq!(again.events[0].stored, stored.stored);
    assert_eq!(
        again.events[0].disposition,
        Disposition::Duplicate { same_content: true }
    );
    assert_eq!(
        append_one(&shop, &mut transaction, request(&shop.runs[0], note("k2")))
            .await?
            .head,
        2
    );
    transaction.commit().await?;

    assert_eq!(shop.orders().await, 1);
    assert_eq!(shop.head(&shop.runs[0]).await, 2);
    shop.assert_in_order().await;
    Ok(())
}

async fn several_requests_are_answered_one_after_another() -> Outcome {
    let mut shop = Shop::open().await;
    let [a, b, c] = [0, 1, 2].map(|index| shop.runs[index].clone());
    shop.store
        .append_and_enqueue(request(&b, note("k1")))
        .await?;
    let mut transaction = shop.order(1).await;

    let replies = shop
        .store
        .append_in(
            &mut transaction,
            &[
                request(&c, note("k1")),
                request(&a, note("k1")).expecting(Expected::At(0)),
                AppendRequest::new(b.clone(), vec![note("k2"), note("k1"), note("k2")]),
                request(&a, note("k2")).expecting(Expected::At(5)),
                request(&a, note("k3")).expecting(Expected::At(1)),
                request(&c, note("k1")),
            ],
        )
        .await?;
    transaction.commit().await?;

    let told: Vec<Result<Vec<(u64, bool)>, AppendError>> = replies
        .into_iter()
        .map(|reply| {
            let events = reply?.events.into_iter();
            Ok(events
                .map(|event| (event.stored.run_seq, event.is_duplicate()))
                .collect())
        })
        .collect();
    let conflict = AppendError::VersionConflict {
        run: a.clone(),
        expected: 5,
        actual: 1,
    };
    assert_eq!(
        told,
        [
            Ok(vec![(1, false)]),
            Ok(vec![(1, false)]),
            Ok(vec![(2, false), (1, true), (2, true)]),
            Err(conflict),
            Ok(vec![(2, false)]),
            Ok(vec![(1, true)]),
        ]
    );
    assert_eq!(
        [
            shop.head(&a).await,
            shop.head(&b).await,
            shop.head(&c).await
        ],
        [2, 2, 1]
    );
    assert_eq!(shop.orders().await, 1);
    shop.assert_in_order().await;
    Ok(())
}

async fn an_aborted_transaction_is_an_error() -> Outcome {
    let mut shop = Shop::open().await;
    shop.store
        .append_and_enqueue(request(&shop.runs[0], note("k1")))
        .await?;
    let mut transaction = shop.order(1).await;
    transaction.execute("SELECT 1 / 0").await.unwrap_err();

    for key in ["k1", "k2"] {
        let event = [request(&shop.runs[0], note(key))];
        let error = shop.store.append_in(&mut transaction, &event).await;
        assert!(error.is_err(), "{error:?}");
    }
    transaction.rollback().await?;

    assert_eq!(shop.head(&shop.runs[0]).await, 1);
    assert_eq!(shop.orders().await, 0);
    shop.assert_in_order().await;
    Ok(())
}

async fn after_an_error_even_a_commit_keeps_nothing() -> Outcome {
    let mut shop = Shop::open().await;
    let holder = hold(shop.ours.name(), &shop.runs[1..2]).await;
    let mut transaction = shop.order(1).await;
    transaction
        .execute("SET LOCAL lock_timeout = '50ms'")
        .await?;
    append_one(&shop, &mut transaction, request(&shop.runs[0], note("k1"))).await?;

    let error = shop
        .store
        .append_in(&mut transaction, &[request(&shop.runs[1], note("k1"))])
        .await
        .unwrap_err();
    // The server makes a rollback of it, and says so; the driver does not.
    transaction.commit().await?;
    drop(holder);

    assert_eq!(error.class(), ErrorClass::Transient, "{error:?}");
    assert_eq!(shop.orders().await, 0);
    assert_eq!(
        [
            shop.head(&shop.runs[0]).await,
            shop.head(&shop.runs[1]).await
        ],
        [0, 0]
    );
    shop.assert_in_order().await;
    Ok(())
}
