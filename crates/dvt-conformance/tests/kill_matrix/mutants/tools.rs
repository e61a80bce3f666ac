//! What several bugs are made with.

use dvt_contracts::*;

pub(crate) type Replies = Result<Vec<Result<AppendOutcome, AppendError>>, StoreError>;

/// The accepted replies of a call.
pub(super) fn accepted(replies: &mut Replies) -> impl Iterator<Item = &mut AppendOutcome> {
    replies
        .iter_mut()
        .flatten()
        .filter_map(|reply| reply.as_mut().ok())
}

/// Sends each request in a call of its own.
pub(crate) async fn append_each(inner: &dyn Store, requests: &[AppendRequest]) -> Replies {
    let mut replies = Vec::new();
    for request in requests {
        replies.extend(inner.append_batch(std::slice::from_ref(request)).await?);
    }
    Ok(replies)
}

/// The log of a run as far as a page goes; empty if there is none.
pub(super) async fn log(inner: &dyn Store, run: &RunKey) -> Vec<RunEvent> {
    inner
        .list_events(run, 0, MAX_PAGE)
        .await
        .map_or_else(|_| Vec::new(), |page| page.events)
}

/// The event with another step, key and time.
pub(super) fn change_event(
    event: &Event,
    step_id: Option<StepId>,
    key: IdempotencyKey,
    emitted_at: Timestamp,
) -> Event {
    Event::new(event.event_type().clone(), step_id, key, emitted_at)
        .expect("a step is only taken from where it may be missing")
        .with_engine_attempt(event.engine_attempt())
        .with_logical_attempt(event.logical_attempt())
        .with_payload(event.payload().clone())
}

/// The event with its key changed.
pub(crate) fn rekey(event: &Event, change: impl Fn(&str) -> String) -> Event {
    let key = change(event.idempotency_key().as_str())
        .parse()
        .expect("still a key");
    change_event(event, event.step_id().cloned(), key, event.emitted_at())
}

/// The tenant whose runs [`clock`] makes.
pub(crate) const CLOCK_TENANT: &str = "mutant's clock";

/// The time of the store below: that of a run made to see it.
pub(super) async fn clock(inner: &dyn Store) -> Timestamp {
    let request = BootstrapRequest {
        run: RunKey::new(CLOCK_TENANT.parse().expect("a tenant"), RunId::generate()),
        metadata: RunMetadata {
            project_id: "p".parse().expect("a project"),
            environment_id: "e".parse().expect("an environment"),
            plan_id: "p".parse().expect("a plan"),
            plan_version: "v".parse().expect("a version"),
        },
        events: Vec::new(),
    };
    inner
        .bootstrap_run(&request)
        .await
        .map_or(Timestamp::MIN, |outcome| outcome.created_at)
}

pub(super) type Claimed = Result<Vec<ClaimedRun>, OutboxError>;
pub(super) type Marked = Result<Vec<Result<(), LeaseError>>, OutboxError>;

/// Claims everything that is due, brings it into another order, keeps as many runs as asked for and gives the others
/// back.
pub(super) async fn claim_and_keep(
    inner: &dyn Store,
    request: &ClaimRequest,
    order: impl Fn(&mut Vec<ClaimedRun>) + Send,
) -> Claimed {
    let all = ClaimRequest {
        max_runs: request.max_runs.min(1) * MAX_CLAIM,
        ..*request
    };
    let mut claimed = inner.claim(&all).await?;
    order(&mut claimed);
    let rest = claimed.split_off(claimed.len().min(request.max_runs as usize));
    let leases: Vec<_> = rest.into_iter().map(|one| one.lease).collect();
    inner.release(&leases).await?;
    Ok(claimed)
}

/// The run in the list of pending runs, if it is there.
pub(super) async fn pending(inner: &dyn Store, run: &RunKey) -> Option<PendingRun> {
    let all = inner.list_pending(&PendingQuery::default()).await.ok()?;
    all.into_iter().find(|pending| pending.run == *run)
}
