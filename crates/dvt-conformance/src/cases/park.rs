//! What operators do to a whole run.

use std::time::Duration;

use dvt_contracts::{
    DeadLetter, DeadLetterCause, OperatorNote, OutboxError, OutboxStorageExt, PendingState,
};

use crate::cases::lease::work;
use crate::cx::Cx;
use crate::failure::{Failure, check_eq, check_matches};
use crate::fixture::{LONG, by_ann, by_bob, notes, seqs, stale};

/// park a run on an operator's word, with a dead letter whose error is the note's text
pub async fn operator_parks_a_run(cx: &Cx) -> Result<(), Failure> {
    let run = cx.run_with("a", 3).await?;
    let lease = cx.claim_only(&run).await?.lease;
    cx.fail(&lease, 2, 5).await?;

    let before = cx.now("before").await?;
    let letter = cx.store.park_run(&run, &by_ann()).await?;
    let after = cx.now("after").await?;

    let (error, dead_at) = (letter.error.clone(), letter.dead_at);
    let expected = DeadLetter {
        run: run.clone(),
        dead_letter_no: 1,
        run_seq: 2,
        attempts: 1,
        cause: DeadLetterCause::ParkedByOperator,
        error: error.clone(),
        dead_at,
        resolution: None,
    };
    cx.check_moment(dead_at, Duration::ZERO, [before, after])?;
    check_eq!(letter, expected, "dead letter in the reply");
    check_eq!(
        error.as_str(),
        by_ann().to_string(),
        "error of the dead letter"
    );
    check_eq!(cx.letters().await?, [letter], "dead letters");
    let states: Vec<_> = cx
        .pending()
        .await?
        .into_iter()
        .map(|one| one.state)
        .collect();
    let parked = PendingState::Parked {
        since: dead_at,
        dead_letter_no: 1,
    };
    check_eq!(states, [parked], "state of the run");
    cx.shift_clock(LONG).await?;
    check_eq!(cx.claim().await?, [], "claim long after");
    Ok(())
}

/// end the lease of a run that is parked, and set its unfinished claims back
pub async fn parking_ends_the_lease(cx: &Cx) -> Result<(), Failure> {
    let run = cx.run_with("a", 3).await?;
    let first = cx.claim_only(&run).await?.lease;
    cx.store.acknowledge(&first, 1).await?;
    let lease = cx.claim_only(&run).await?.lease;

    cx.store
        .park_run(&run, &OperatorNote::new("ann", "receiver is down"))
        .await?;

    let before = cx.pending().await?;
    let unfinished: Vec<_> = before.iter().map(|one| one.unfinished_claims).collect();
    check_eq!(unfinished, [0], "unfinished claims");
    let refused = [(); 4].map(|()| Err(stale(&lease, 1)));
    check_eq!(
        work(cx, &lease, 3).await?,
        refused,
        "extend, acknowledge, fail, release"
    );
    check_eq!(
        cx.pending().await?,
        before,
        "pending runs after the refusals"
    );
    Ok(())
}

/// answer for a parked run with the dead letter that parks it, and write no other
pub async fn parked_run_keeps_its_dead_letter(cx: &Cx) -> Result<(), Failure> {
    let failed = cx.run_with("a", 2).await?;
    cx.kill(&failed).await?;
    let parked = cx.run_with("b", 2).await?;
    cx.store.park_run(&parked, &by_ann()).await?;
    let before = cx.letters().await?;
    cx.shift_clock(1).await?;

    let again = [
        cx.store.park_run(&failed, &by_bob()).await?,
        cx.store.park_run(&parked, &by_bob()).await?,
    ];

    check_eq!(
        again.as_slice(),
        before.as_slice(),
        "dead letters in the replies"
    );
    check_eq!(cx.letters().await?, before, "dead letters");
    Ok(())
}

/// refuse to park a run without undelivered events with `NothingPending`
pub async fn nothing_pending_is_not_parked(cx: &Cx) -> Result<(), Failure> {
    let delivered = cx.run_with("a", 2).await?;
    let lease = cx.claim_only(&delivered).await?.lease;
    cx.store.acknowledge(&lease, 2).await?;
    let empty = cx.run("b").await?;

    for (run, expected) in [(&delivered, 2), (&empty, 0)] {
        check_matches!(
            cx.store.park_run(run, &by_ann()).await,
            Err(OutboxError::NothingPending { run: of, head }) if of == run && *head == expected,
            "park of a run with nothing pending"
        );
    }

    check_eq!(cx.letters().await?, [], "dead letters");
    cx.append(&empty, notes(1, 1)).await?;
    cx.claim_only(&empty).await?;
    Ok(())
}

/// take appends to a parked run without delivering them
pub async fn parked_run_takes_appends(cx: &Cx) -> Result<(), Failure> {
    let run = cx.run_with("a", 1).await?;
    cx.kill_at(&run, 1).await?;

    let outcome = cx.append(&run, notes(2, 3)).await?;
    cx.shift_clock(LONG).await?;
    let parked = cx.claim().await?;
    cx.store.skip_dead_letter(&run, 1, &by_bob()).await?;
    let claimed = cx.claim_only(&run).await?;

    check_eq!(outcome.head, 3, "head in the reply");
    check_eq!(parked, [], "claim while the run is parked");
    check_eq!(
        seqs(&claimed.events),
        [2, 3],
        "events claimed when it goes on"
    );
    Ok(())
}
