//! Appends that are conditional on the head.

use dvt_contracts::{AppendError, AppendRequest, Disposition, Expected, RunKey};

use crate::cx::Cx;
use crate::failure::{Failure, check_eq};
use crate::fixture::{note, seqs};

type Heads = Vec<Result<u64, AppendError>>;

async fn append_at(cx: &Cx, run: &RunKey, keys: &[&str], expected: u64) -> Result<Heads, Failure> {
    let events = keys.iter().map(|key| note(key)).collect();
    let request = AppendRequest::new(run.clone(), events).expecting(Expected::At(expected));
    let replies = cx.store.append_batch(&[request]).await?;
    Ok(replies
        .into_iter()
        .map(|reply| reply.map(|outcome| outcome.head))
        .collect())
}

/// accept `Expected::At` the head, and 0 for an empty log
///
/// CASES: B 18.
pub async fn the_head_is_accepted(cx: &Cx) -> Result<(), Failure> {
    let run = cx.run("a").await?;

    check_eq!(
        append_at(cx, &run, &["k1", "k2"], 0).await?,
        [Ok(2)],
        "at 0"
    );
    check_eq!(append_at(cx, &run, &["k3"], 2).await?, [Ok(3)], "at 2");
    Ok(())
}

/// refuse `Expected::At` any other head with `VersionConflict` telling both, and write nothing of the request
///
/// CASES: B 18.
pub async fn another_head_is_refused(cx: &Cx) -> Result<(), Failure> {
    let run = cx.run_with("a", 2).await?;

    for expected in [0, 1, 3, i64::MAX.cast_unsigned(), u64::MAX] {
        let conflict = AppendError::VersionConflict {
            run: run.clone(),
            expected,
            actual: 2,
        };
        let heads = append_at(cx, &run, &["x"], expected).await?;
        check_eq!(heads, [Err(conflict)], "at {expected}");
    }

    check_eq!(seqs(&cx.log(&run).await?), [1, 2], "log");
    Ok(())
}

/// answer a request made only of duplicates whatever it expects
///
/// CASES: A 7.
pub async fn duplicates_pass_whatever_they_expect(cx: &Cx) -> Result<(), Failure> {
    let run = cx.run("a").await?;
    append_at(cx, &run, &["k1", "k2"], 0).await?;
    cx.append(&run, vec![note("k3")]).await?;

    for expected in [0, 1, 2, 3, 4, u64::MAX] {
        let request = AppendRequest::new(run.clone(), vec![note("k2"), note("k1")])
            .expecting(Expected::At(expected));
        let mut found = Vec::new();
        for reply in cx.store.append_batch(&[request]).await? {
            let outcome = reply?;
            check_eq!(outcome.head, 3, "head in the reply at {expected}");
            found.extend(
                outcome
                    .events
                    .iter()
                    .map(|e| (e.stored.run_seq, e.disposition)),
            );
        }
        let duplicate = Disposition::Duplicate { same_content: true };
        check_eq!(
            found,
            [(2, duplicate), (1, duplicate)],
            "reply at {expected}"
        );
    }
    Ok(())
}

/// hold a partly known request to what it expects
pub async fn partly_known_request_is_held_to_it(cx: &Cx) -> Result<(), Failure> {
    let run = cx.run_with("a", 2).await?;

    let refused = append_at(cx, &run, &["k1", "x"], 0).await?;
    let accepted = append_at(cx, &run, &["k1", "y"], 2).await?;

    let conflict = AppendError::VersionConflict {
        run: run.clone(),
        expected: 0,
        actual: 2,
    };
    let log = cx.log(&run).await?;
    let keys: Vec<_> = log
        .iter()
        .map(|event| event.event.idempotency_key().as_str())
        .collect();
    check_eq!(refused, [Err(conflict)], "at 0");
    check_eq!(accepted, [Ok(3)], "at 2");
    check_eq!(keys, ["k1", "k2", "y"], "keys in the log");
    Ok(())
}
