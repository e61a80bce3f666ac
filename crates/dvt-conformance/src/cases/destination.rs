//! Where the outbox delivers to.

use std::time::Duration;

use dvt_contracts::{
    Destination, InvalidIdentifier, MAX_DESTINATION_BYTES, OperatorNote, OutboxError, Retarget,
    Timestamp,
};

use crate::cx::Cx;
use crate::failure::{Failure, check_eq, check_matches};
use crate::fixture::by_bob;

fn destination(text: &str) -> Result<Destination, Failure> {
    text.parse()
        .map_err(|error: InvalidIdentifier| Failure::new(error.to_string()))
}

/// keep the first destination, for every handle, and accept it again
pub async fn first_destination_is_kept(cx: &Cx) -> Result<(), Failure> {
    let longest = destination(&"é".repeat(MAX_DESTINATION_BYTES / 2))?;
    let early = cx.reopen().await?;
    let unbound = early.stats().await?.destination;

    cx.store.bind_destination(&longest).await?;

    early.bind_destination(&longest).await?;
    let late = cx.reopen().await?;
    late.bind_destination(&longest).await?;
    check_eq!(unbound, None, "destination at first");
    for handle in [&cx.store, &early, &late] {
        let told = handle.stats().await?.destination;
        check_eq!(
            told.as_ref(),
            Some(&longest),
            "destination told by each handle"
        );
    }
    Ok(())
}

/// refuse another destination with `DestinationMismatch` telling both
pub async fn another_destination_is_refused(cx: &Cx) -> Result<(), Failure> {
    let first = destination("nats://bus.example/runs")?;
    cx.store.bind_destination(&first).await?;

    let handle = cx.reopen().await?;
    for text in [
        "nats://bus.example/RUNS",
        "nats://bus.example/runs ",
        "nats://bus.example/run",
    ] {
        let other = destination(text)?;
        check_matches!(
            handle.bind_destination(&other).await,
            Err(OutboxError::DestinationMismatch { bound, requested })
                if *bound == first && *requested == other,
            "destination {other:?}"
        );
    }

    handle.bind_destination(&first).await?;
    Ok(())
}

/// replace the destination only if it is the one named, accept a repetition, and tell the last change
pub async fn only_the_destination_named_is_replaced(cx: &Cx) -> Result<(), Failure> {
    let (old, new, other) = (
        destination("old")?,
        destination("new")?,
        destination("other")?,
    );
    let note = OperatorNote::new("ann", "the bus has moved");
    let retarget = async |from, to| cx.store.retarget(from, to, &note).await;

    check_matches!(
        retarget(&old, &new).await,
        Err(OutboxError::NoDestination { requested }) if *requested == old,
        "replacement before there is a destination"
    );
    cx.store.bind_destination(&old).await?;
    check_matches!(
        retarget(&other, &new).await,
        Err(OutboxError::DestinationMismatch { bound, requested })
            if *bound == old && *requested == other,
        "replacement of another destination"
    );
    cx.store.bind_destination(&old).await?;
    let before = cx.now("before").await?;
    retarget(&old, &new).await?;
    let after = cx.now("after").await?;
    cx.shift_clock(100).await?;
    cx.store.retarget(&old, &new, &by_bob()).await?;
    let last = cx.store.stats().await?.last_retarget;

    cx.store.bind_destination(&new).await?;
    check_matches!(
        cx.store.bind_destination(&old).await,
        Err(OutboxError::DestinationMismatch { bound, requested })
            if *bound == new && *requested == old,
        "the old destination"
    );
    let at = last.as_ref().map_or(Timestamp::MIN, |change| change.at);
    let change = Retarget {
        from: old,
        to: new,
        note,
        at,
    };
    cx.check_moment(at, Duration::ZERO, [before, after])?;
    check_eq!(last, Some(change), "last change");
    Ok(())
}
