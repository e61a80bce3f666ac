//! Calls with many conditional requests for one run, as a recorder sends them.

use dvt_conformance::fixture::note;
use dvt_contracts::{
    AppendError, AppendRequest, Disposition, Expected, RunKey, RunStateStore as _,
};

use crate::ground::Ground;
use crate::trial::{Outcome, trials};

trials![
    a_chain_is_written_and_repeated,
    half_a_chain_is_answered_and_the_rest_written,
    a_broken_chain_is_refused_from_there_on,
    requests_that_cannot_go_together_all_get_their_answer,
];

const LENGTH: u64 = 1_000;

/// Each event expects the one before it to be the last.
fn chain(run: &RunKey, length: u64) -> Vec<AppendRequest> {
    let request = |head| {
        let events = vec![note(&format!("k{head}"))];
        AppendRequest::new(run.clone(), events).expecting(Expected::At(head))
    };
    (0..length).map(request).collect()
}

async fn a_chain_is_written_and_repeated() -> Outcome {
    let ground = Ground::new().await;
    let run = ground.bootstrap("a").await;
    let chain = chain(&run, LENGTH);

    let first = ground.store.append_batch(&chain).await?;
    let again = ground.store.append_batch(&chain).await?;

    for ((seq, first), again) in (1..).zip(first).zip(again) {
        let (first, again) = (first?, again?);
        assert_eq!((first.head, first.events[0].stored.run_seq), (seq, seq));
        assert_eq!(first.events[0].disposition, Disposition::Appended);
        assert_eq!(again.head, LENGTH);
        assert_eq!(again.events[0].stored, first.events[0].stored);
        assert!(again.events[0].is_duplicate());
    }
    Ok(())
}

async fn half_a_chain_is_answered_and_the_rest_written() -> Outcome {
    let ground = Ground::new().await;
    let run = ground.bootstrap("a").await;
    ground.store.append_batch(&chain(&run, LENGTH / 2)).await?;

    let replies = ground.store.append_batch(&chain(&run, LENGTH)).await?;

    for (seq, reply) in (1..).zip(replies) {
        let event = reply?.events.remove(0);
        assert_eq!(event.stored.run_seq, seq);
        assert_eq!(event.is_duplicate(), seq <= LENGTH / 2, "event {seq}");
    }
    assert!(ground.log(&run).await.into_iter().eq(1..=LENGTH));
    Ok(())
}

async fn a_broken_chain_is_refused_from_there_on() -> Outcome {
    let ground = Ground::new().await;
    let run = ground.bootstrap("a").await;
    let mut chain = chain(&run, 10);
    chain.remove(4);

    let replies = ground.store.append_batch(&chain).await?;

    let heads = replies
        .iter()
        .map_while(|reply| reply.as_ref().ok())
        .map(|reply| reply.head);
    assert!(heads.eq(1..=4));
    let conflicts = replies[4..].iter().zip(5..).all(|(reply, expected)| {
        matches!(reply, Err(AppendError::VersionConflict { expected: found, actual: 4, .. }) if *found == expected)
    });
    assert!(conflicts, "{replies:?}");
    assert_eq!(ground.log(&run).await, [1, 2, 3, 4]);
    Ok(())
}

/// An unconditional request between conditional ones takes a statement for each of them.
async fn requests_that_cannot_go_together_all_get_their_answer() -> Outcome {
    let ground = Ground::new().await;
    let run = ground.bootstrap("a").await;
    let mut mixed = chain(&run, LENGTH);
    for request in mixed.iter_mut().step_by(2) {
        request.expected = Expected::Any;
    }

    let replies = ground.store.append_batch(&mixed).await?;

    for (seq, reply) in (1..).zip(replies) {
        assert_eq!(reply?.events[0].stored.run_seq, seq);
    }
    Ok(())
}
