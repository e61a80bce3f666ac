//! Transactions that append to the same run.

use std::sync::Arc;

use dvt_conformance::fixture::note;
use dvt_contracts::{Disposition, ErrorClass, RunStateStoreExt as _};
use sqlx::Executor as _;
use tokio::task::JoinSet;

use crate::shop::{Shop, append_one};
use crate::stage::{request, until, waiting};
use crate::trial::{Outcome, trials};

trials![
    the_second_transaction_waits_and_writes_behind_the_first,
    a_key_that_comes_in_meanwhile_is_answered_as_a_duplicate,
    under_repeatable_read_a_lost_race_is_transient,
    many_transactions_leave_a_dense_log,
];

async fn the_second_transaction_waits_and_writes_behind_the_first() -> Outcome {
    let mut shop = Shop::open().await;
    let mut first = shop.order(1).await;
    let mut second = shop.order(2).await;
    append_one(&shop, &mut first, request(&shop.runs[0], note("k1"))).await?;
    let (store, call) = (shop.store.clone(), [request(&shop.runs[0], note("k2"))]);
    let late = tokio::spawn(async move {
        let replies = store.append_in(&mut second, &call).await.unwrap();
        second.commit().await.unwrap();
        replies
    });
    until(&mut shop.conn, &waiting(&shop.name), 1).await;

    first.commit().await?;

    let replies = late.await?;
    assert_eq!(replies[0].clone()?.events[0].stored.run_seq, 2);
    assert_eq!(shop.head(&shop.runs[0]).await, 2);
    assert_eq!(shop.orders().await, 2);
    shop.assert_in_order().await;
    Ok(())
}

async fn a_key_that_comes_in_meanwhile_is_answered_as_a_duplicate() -> Outcome {
    let mut shop = Shop::open().await;
    let mut first = shop.order(1).await;
    let mut second = shop.order(2).await;
    let written = append_one(&shop, &mut first, request(&shop.runs[0], note("k1"))).await?;
    let (store, call) = (shop.store.clone(), [request(&shop.runs[0], note("k1"))]);
    let late = tokio::spawn(async move {
        let replies = store.append_in(&mut second, &call).await.unwrap();
        second.commit().await.unwrap();
        replies
    });
    until(&mut shop.conn, &waiting(&shop.name), 1).await;

    first.commit().await?;

    let known = late.await?[0].clone()?.events[0].clone();
    assert_eq!(known.stored, written.events[0].stored);
    assert_eq!(
        known.disposition,
        Disposition::Duplicate { same_content: true }
    );
    assert_eq!(shop.orders().await, 2);
    shop.assert_in_order().await;
    Ok(())
}

async fn under_repeatable_read_a_lost_race_is_transient() -> Outcome {
    let mut shop = Shop::open().await;
    for (level, run) in [("REPEATABLE READ", 0), ("SERIALIZABLE", 1)] {
        let run = shop.runs[run].clone();
        let mut transaction = shop.pool.begin().await?;
        transaction
            .execute(sqlx::AssertSqlSafe(format!(
                "SET TRANSACTION ISOLATION LEVEL {level}"
            )))
            .await?;
        // The snapshot is taken here.
        transaction.execute("INSERT INTO orders VALUES (1)").await?;
        shop.store
            .append_and_enqueue(request(&run, note("k1")))
            .await?;

        let lost = [request(&run, note("k2"))];
        let error = shop.store.append_in(&mut transaction, &lost).await;

        assert_eq!(
            error.as_ref().unwrap_err().class(),
            ErrorClass::Transient,
            "{error:?}"
        );
        transaction.rollback().await?;
        assert_eq!(shop.orders().await, 0);
        // Again, all of it.
        let mut transaction = shop.pool.begin().await?;
        transaction
            .execute(sqlx::AssertSqlSafe(format!(
                "SET TRANSACTION ISOLATION LEVEL {level}"
            )))
            .await?;
        let reply = append_one(&shop, &mut transaction, request(&run, note("k2"))).await?;
        transaction.commit().await?;
        assert_eq!((reply.head, reply.events[0].stored.run_seq), (2, 2));
    }
    shop.assert_in_order().await;
    Ok(())
}

async fn many_transactions_leave_a_dense_log() -> Outcome {
    let shop = Arc::new(Shop::open().await);
    let mut writers = JoinSet::new();
    for writer in 0..4 {
        let shop = Arc::clone(&shop);
        writers.spawn(async move {
            for append in 0..50 {
                let mut transaction = shop.order(writer * 50 + append).await;
                // Every other key is one of two writers'.
                let key = format!("k{}-{append}", writer / (1 + append % 2));
                let both = [&shop.runs[1], &shop.runs[0]].map(|run| request(run, note(&key)));
                let replies = shop.store.append_in(&mut transaction, &both).await.unwrap();
                assert!(replies.iter().all(Result::is_ok), "{replies:?}");
                match append % 5 {
                    0 => transaction.rollback().await.unwrap(),
                    _ => transaction.commit().await.unwrap(),
                }
            }
        });
    }
    writers.join_all().await;
    let Ok(mut shop) = Arc::try_unwrap(shop) else {
        return Err("a writer is left".into());
    };

    assert_eq!(shop.orders().await, 4 * 40);
    assert_eq!(
        shop.head(&shop.runs[0]).await,
        shop.head(&shop.runs[1]).await
    );
    shop.assert_in_order().await;
    Ok(())
}
