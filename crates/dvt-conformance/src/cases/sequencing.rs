//! How events are numbered.

use dvt_contracts::AppendRequest;

use crate::cx::Cx;
use crate::failure::{Failure, check_eq};
use crate::fixture::{note, notes};

/// number the events of a run 1, 2, 3 … without a gap, in the order of requests and events
///
/// CASES: B 13.
pub async fn events_are_numbered_without_gaps(cx: &Cx) -> Result<(), Failure> {
    let a = cx.run("a").await?;
    let b = cx.run_with("b", 2).await?;

    cx.append(&a, notes(1, 3)).await?;
    let replies = cx
        .store
        .append_batch(&[
            AppendRequest::new(a.clone(), vec![note("x1"), note("x2")]),
            AppendRequest::new(b.clone(), vec![note("y1")]),
            AppendRequest::new(a.clone(), vec![note("x3")]),
        ])
        .await?;

    let mut numbers = Vec::new();
    for reply in replies {
        numbers.extend(reply?.events.iter().map(|event| event.stored.run_seq));
    }
    let log = cx.log(&a).await?;
    let found: Vec<_> = log
        .iter()
        .map(|event| (event.run_seq, event.event.idempotency_key().as_str()))
        .collect();
    check_eq!(numbers, [4, 5, 3, 6], "numbers in the replies");
    check_eq!(
        found,
        [
            (1, "k1"),
            (2, "k2"),
            (3, "k3"),
            (4, "x1"),
            (5, "x2"),
            (6, "x3")
        ],
        "numbers and keys in the log"
    );
    Ok(())
}
