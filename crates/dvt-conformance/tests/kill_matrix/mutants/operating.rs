//! Bugs in what operators see and do: dead letters, parked runs, the destination.

use std::collections::HashMap;
use std::sync::Mutex;

use async_trait::async_trait;
use dvt_contracts::*;

use super::tools::{Marked, Replies, pending};
use super::{on, planted};
use crate::bug::Bug;

planted! {
    DeadLetterWithoutError => "keeps no error with a dead letter",
    DeadLetterCountsNothing => "tells 0 attempts of a dead letter",
    DeadLetterCauseLost => "tells of every dead letter that its attempts were used up",
    DeadLetterOfTheHead => "tells the head as the event of a dead letter",
    DeadPagesOverlap => "begins a page of dead letters with the last one of the page before",
    OpenOnlyIgnored => "lists resolved dead letters when open ones are asked for",
    DeadTenantIgnored => "lists the dead letters of all tenants",
    RetrySkips => "passes over the event of a retried dead letter",
    RetryForgetsTheNote => "does not keep who retried a dead letter",
    SkipRetries => "delivers the event of a skipped dead letter",
    ResolvedAnew => "lets a repeated retry or skip write a new note",
    SecondDeathUntold => "keeps only the first dead letter of an event",
    ResolutionOverwritten => "answers that a skipped dead letter was retried, and the other way round",
    ResolutionUntold => "swaps how a dead letter had been resolved",
    UnknownLetterIsMissingRun => "calls a run missing that has no such dead letter",
    MissingRunHasNoLetter => "calls a dead letter missing if its run is",
    ParkWithoutReason => "keeps who parked a run, but not why",
    ParkLeavesTheLease => "lets the holder of the lease acknowledge after the run was parked",
    ParkedTwice => "counts another dead letter when a parked run is parked",
    NothingPendingIsMissing => "calls a run missing that has nothing to park",
    AppendUnparks => "lets an append to a parked run deliver it",
    LastDestinationWins => "replaces the destination when another is bound",
    DestinationPerHandle => "keeps a destination for each handle",
    MismatchSwapped => "swaps the two destinations of a mismatch",
    RetargetBlindly => "replaces the destination whatever it was",
    RetargetOnce => "refuses a repeated retarget",
    RetargetBinds => "binds a destination by a retarget",
}

type Letters = Result<Vec<DeadLetter>, OutboxError>;
type Letter = Result<DeadLetter, OutboxError>;
type Bound = Result<(), OutboxError>;

async fn changed(
    inner: &dyn Store,
    query: &DeadLetterQuery,
    change: impl Fn(&mut DeadLetter) + Send,
) -> Letters {
    let mut letters = inner.list_dead_letters(query).await?;
    letters.iter_mut().for_each(change);
    Ok(letters)
}

on!(DeadLetterWithoutError, list_dead_letters(query: &DeadLetterQuery) -> Letters, |inner| {
    changed(inner, query, |letter| letter.error = SafeText::from("")).await
});
on!(DeadLetterCountsNothing, list_dead_letters(query: &DeadLetterQuery) -> Letters, |inner| {
    changed(inner, query, |letter| letter.attempts = 0).await
});
on!(DeadLetterCauseLost, list_dead_letters(query: &DeadLetterQuery) -> Letters, |inner| {
    changed(inner, query, |letter| letter.cause = DeadLetterCause::AttemptsExhausted).await
});
on!(DeadLetterOfTheHead, list_dead_letters(query: &DeadLetterQuery) -> Letters, |inner| {
    let mut letters = inner.list_dead_letters(query).await?;
    for letter in &mut letters {
        let head = inner.get_run(&letter.run).await.map_or(0, |record| record.head);
        if letter.resolution.is_some() {
            letter.run_seq = head;
        }
    }
    Ok(letters)
});
on!(DeadPagesOverlap, list_dead_letters(query: &DeadLetterQuery) -> Letters, |inner| {
    let mut query = query.clone();
    if let Some((_, number)) = &mut query.after {
        *number = number.saturating_sub(1);
    }
    inner.list_dead_letters(&query).await
});
on!(OpenOnlyIgnored, list_dead_letters(query: &DeadLetterQuery) -> Letters, |inner| {
    inner.list_dead_letters(&DeadLetterQuery { open_only: false, ..query.clone() }).await
});
on!(DeadTenantIgnored, list_dead_letters(query: &DeadLetterQuery) -> Letters, |inner| {
    inner.list_dead_letters(&DeadLetterQuery { tenant_id: None, ..query.clone() }).await
});
on!(RetrySkips, retry_dead_letter(run: &RunKey, dead_letter_no: u64, note: &OperatorNote) -> Letter, |inner| {
    match inner.skip_dead_letter(run, dead_letter_no, note).await {
        Ok(mut letter) => {
            if let Some(resolution) = &mut letter.resolution {
                resolution.kind = ResolutionKind::Retried;
            }
            Ok(letter)
        }
        Err(_) => inner.retry_dead_letter(run, dead_letter_no, note).await,
    }
});
on!(RetryForgetsTheNote, retry_dead_letter(run: &RunKey, dead_letter_no: u64, note: &OperatorNote) -> Letter, |inner| {
    let nobody = OperatorNote::new("", note.reason.as_str());
    inner.retry_dead_letter(run, dead_letter_no, &nobody).await
});
on!(SkipRetries, skip_dead_letter(run: &RunKey, dead_letter_no: u64, note: &OperatorNote) -> Letter, |inner| {
    match inner.retry_dead_letter(run, dead_letter_no, note).await {
        Ok(mut letter) => {
            if let Some(resolution) = &mut letter.resolution {
                resolution.kind = ResolutionKind::Skipped;
            }
            Ok(letter)
        }
        Err(_) => inner.skip_dead_letter(run, dead_letter_no, note).await,
    }
});
on!(ResolutionUntold, skip_dead_letter(run: &RunKey, dead_letter_no: u64, note: &OperatorNote) -> Letter, |inner| {
    match inner.skip_dead_letter(run, dead_letter_no, note).await {
        Err(OutboxError::DeadLetterResolved { run, dead_letter_no, .. }) => {
            let resolved = ResolutionKind::Skipped;
            Err(OutboxError::DeadLetterResolved { run, dead_letter_no, resolved })
        }
        reply => reply,
    }
});
on!(UnknownLetterIsMissingRun, retry_dead_letter(run: &RunKey, dead_letter_no: u64, note: &OperatorNote) -> Letter, |inner| {
    match inner.retry_dead_letter(run, dead_letter_no, note).await {
        Err(OutboxError::DeadLetterNotFound { run, .. }) => Err(OutboxError::RunNotFound { run }),
        reply => reply,
    }
});
on!(MissingRunHasNoLetter, skip_dead_letter(run: &RunKey, dead_letter_no: u64, note: &OperatorNote) -> Letter, |inner| {
    match inner.skip_dead_letter(run, dead_letter_no, note).await {
        Err(OutboxError::RunNotFound { run }) => {
            Err(OutboxError::DeadLetterNotFound { run, dead_letter_no })
        }
        reply => reply,
    }
});
on!(ParkWithoutReason, park_run(run: &RunKey, note: &OperatorNote) -> Letter, |inner| {
    inner.park_run(run, &OperatorNote::new(note.by.as_str(), "")).await
});
on!(NothingPendingIsMissing, park_run(run: &RunKey, note: &OperatorNote) -> Letter, |inner| {
    match inner.park_run(run, note).await {
        Err(OutboxError::NothingPending { run, .. }) => Err(OutboxError::RunNotFound { run }),
        reply => reply,
    }
});
on!(ParkedTwice, park_run(run: &RunKey, note: &OperatorNote) -> Letter, |inner| {
    let parked = pending(inner, run).await.map(|run| run.state);
    let mut letter = inner.park_run(run, note).await?;
    if matches!(parked, Some(PendingState::Parked { .. })) {
        letter.dead_letter_no += 1;
    }
    Ok(letter)
});
on!(AppendUnparks, append_batch(requests: &[AppendRequest]) -> Replies, |inner| {
    let replies = inner.append_batch(requests).await;
    for request in requests {
        if let Some(PendingState::Parked { dead_letter_no, .. }) =
            pending(inner, &request.run).await.map(|run| run.state)
        {
            let note = OperatorNote::new("append", "a new event came");
            let _ = inner.retry_dead_letter(&request.run, dead_letter_no, &note).await;
        }
    }
    replies
});
on!(LastDestinationWins, bind_destination(destination: &Destination) -> Bound, |inner| {
    match inner.bind_destination(destination).await {
        Err(OutboxError::DestinationMismatch { bound, requested }) => {
            inner.retarget(&bound, &requested, &OperatorNote::new("bind", "")).await
        }
        reply => reply,
    }
});
on!(MismatchSwapped, bind_destination(destination: &Destination) -> Bound, |inner| {
    match inner.bind_destination(destination).await {
        Err(OutboxError::DestinationMismatch { bound, requested }) => {
            Err(OutboxError::DestinationMismatch { bound: requested, requested: bound })
        }
        reply => reply,
    }
});
on!(RetargetBlindly, retarget(from: &Destination, to: &Destination, note: &OperatorNote) -> Bound, |inner| {
    match inner.retarget(from, to, note).await {
        Err(OutboxError::DestinationMismatch { bound, .. }) => inner.retarget(&bound, to, note).await,
        reply => reply,
    }
});
on!(RetargetOnce, retarget(from: &Destination, to: &Destination, note: &OperatorNote) -> Bound, |inner| {
    match inner.stats().await?.destination {
        Some(bound) if bound == *to && bound != *from => {
            Err(OutboxError::DestinationMismatch { bound, requested: from.clone() })
        }
        _ => inner.retarget(from, to, note).await,
    }
});
on!(RetargetBinds, retarget(from: &Destination, to: &Destination, note: &OperatorNote) -> Bound, |inner| {
    match inner.retarget(from, to, note).await {
        Err(OutboxError::NoDestination { .. }) => inner.bind_destination(to).await,
        reply => reply,
    }
});

#[derive(Debug, Default)]
struct ResolvedAnew;
#[async_trait]
impl Bug for ResolvedAnew {
    async fn retry_dead_letter(
        &self,
        inner: &dyn Store,
        run: &RunKey,
        dead_letter_no: u64,
        note: &OperatorNote,
    ) -> Letter {
        let mut letter = inner.retry_dead_letter(run, dead_letter_no, note).await?;
        letter
            .resolution
            .iter_mut()
            .for_each(|resolution| resolution.note = note.clone());
        Ok(letter)
    }
    async fn skip_dead_letter(
        &self,
        inner: &dyn Store,
        run: &RunKey,
        dead_letter_no: u64,
        note: &OperatorNote,
    ) -> Letter {
        let mut letter = inner.skip_dead_letter(run, dead_letter_no, note).await?;
        letter
            .resolution
            .iter_mut()
            .for_each(|resolution| resolution.note = note.clone());
        Ok(letter)
    }
}

/// What an `INSERT … ON CONFLICT DO NOTHING` on the event makes of it.
#[derive(Debug, Default)]
struct SecondDeathUntold;
#[async_trait]
impl Bug for SecondDeathUntold {
    async fn list_dead_letters(&self, inner: &dyn Store, query: &DeadLetterQuery) -> Letters {
        let letters = inner.list_dead_letters(query).await?;
        let first = |letter: &&DeadLetter| {
            letters.iter().all(|other| {
                other.run != letter.run
                    || other.run_seq != letter.run_seq
                    || other.dead_letter_no >= letter.dead_letter_no
            })
        };
        Ok(letters.iter().filter(first).cloned().collect())
    }
}

#[derive(Debug, Default)]
struct ResolutionOverwritten;
impl ResolutionOverwritten {
    async fn told(inner: &dyn Store, reply: Letter) -> Letter {
        let Err(OutboxError::DeadLetterResolved {
            run,
            dead_letter_no,
            ..
        }) = &reply
        else {
            return reply;
        };
        let letters = inner.list_dead_letters(&DeadLetterQuery::default()).await?;
        let it =
            |letter: &DeadLetter| letter.run == *run && letter.dead_letter_no == *dead_letter_no;
        letters.into_iter().find(it).map_or(reply, Ok)
    }
}
#[async_trait]
impl Bug for ResolutionOverwritten {
    async fn retry_dead_letter(
        &self,
        inner: &dyn Store,
        run: &RunKey,
        dead_letter_no: u64,
        note: &OperatorNote,
    ) -> Letter {
        Self::told(
            inner,
            inner.retry_dead_letter(run, dead_letter_no, note).await,
        )
        .await
    }
    async fn skip_dead_letter(
        &self,
        inner: &dyn Store,
        run: &RunKey,
        dead_letter_no: u64,
        note: &OperatorNote,
    ) -> Letter {
        Self::told(
            inner,
            inner.skip_dead_letter(run, dead_letter_no, note).await,
        )
        .await
    }
}

#[derive(Debug, Default)]
struct ParkLeavesTheLease;
#[async_trait]
impl Bug for ParkLeavesTheLease {
    async fn mark_delivered(&self, inner: &dyn Store, done: &[Acknowledgement]) -> Marked {
        let mut replies = inner.mark_delivered(done).await?;
        for (reply, one) in replies.iter_mut().zip(done) {
            let state = pending(inner, &one.lease.run).await.map(|run| run.state);
            if matches!(state, Some(PendingState::Parked { .. })) {
                *reply = Ok(());
            }
        }
        Ok(replies)
    }
}

#[derive(Debug, Default)]
struct DestinationPerHandle(Mutex<HashMap<usize, Destination>>);
#[async_trait]
impl Bug for DestinationPerHandle {
    async fn bind_destination(&self, inner: &dyn Store, destination: &Destination) -> Bound {
        let handle = std::ptr::from_ref(inner).cast::<u8>().addr();
        let own = self.0.lock().expect("notes").get(&handle).cloned();
        if own.is_none() {
            self.0
                .lock()
                .expect("notes")
                .insert(handle, destination.clone());
            let _ = inner.bind_destination(destination).await;
            return Ok(());
        }
        inner.bind_destination(destination).await
    }
}
