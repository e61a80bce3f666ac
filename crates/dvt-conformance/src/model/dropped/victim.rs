//! The calls that are dropped: one of each method, on a run of its own, and one of several requests.

use std::future::Future;
use std::pin::Pin;

use dvt_contracts::{
    AppendRequest, Checkpoint, DeadLetterQuery, EventType, Expected, PendingQuery, ProviderRef,
    ResolutionKind, RunKey, RunQuery,
};

use super::super::call::Call;
use super::super::snap::STEP;
use super::{Stage, claim};
use crate::cx::request;
use crate::failure::Failure;
use crate::fixture::{by_ann, event, note, notes, policy, run_of};

type Prepared<'a> = Pin<Box<dyn Future<Output = Result<Call, Failure>> + Send + 'a>>;

/// A call to be dropped.
pub(super) struct Victim {
    pub(super) name: &'static str,
    /// Whether a store takes it once in its life.
    pub(super) only_once: bool,
    prepare: for<'a> fn(&'a mut Stage, &'a RunKey) -> Prepared<'a>,
}

impl Victim {
    /// Prepares the store for the call, and gives the call.
    pub(super) fn call<'a>(&self, stage: &'a mut Stage, run: &'a RunKey) -> Prepared<'a> {
        (self.prepare)(stage, run)
    }
}

macro_rules! victims {
    ($($name:literal $(($once:ident))?: |$stage:ident, $run:ident| $prepare:expr;)*) => {
        pub(super) const VICTIMS: &[Victim] = &[$(Victim {
            name: $name,
            only_once: victims!(@ $($once)?),
            prepare: |$stage, $run| Box::pin(async move { Ok($prepare) }),
        },)*];
    };
    (@ once) => { true };
    (@) => { false };
}

victims! {
    "bootstrap_run": |_stage, run| Call::Bootstrap(request(run, notes(1, 2)));
    "append_batch": |stage, run| {
        stage.make(run, notes(1, 1)).await?;
        Call::Append(vec![AppendRequest::new(run.clone(), notes(2, 4))])
    };
    "append_batch of several requests": |stage, run| {
        let other = run_of("other", run.run_id.as_str());
        stage.make(run, notes(1, 1)).await?;
        stage.make(&other, notes(1, 1)).await?;
        Call::Append(vec![
            AppendRequest::new(run.clone(), notes(2, 3)).expecting(Expected::At(1)),
            AppendRequest::new(other, notes(2, 2)),
            AppendRequest::new(run.clone(), vec![note("k4")]).expecting(Expected::At(3)),
        ])
    };
    "get_run": |stage, run| {
        stage.make(run, notes(1, 1)).await?;
        Call::GetRun(run.clone())
    };
    "list_runs": |_stage, run| Call::ListRuns(RunQuery::new(run.tenant_id.clone()));
    "list_tenants": |_stage, _run| Call::ListTenants(None, 10);
    "list_events": |stage, run| {
        stage.make(run, notes(1, 3)).await?;
        Call::ListEvents(run.clone(), 1, 10)
    };
    "save_provider_ref": |stage, run| {
        stage.make(run, Vec::new()).await?;
        let reference = ProviderRef::new("provider", None, "workflow", Some("1"));
        Call::SaveProviderRef(run.clone(), reference.map_err(|error| Failure::new(error.to_string()))?)
    };
    "load_checkpoint": |stage, run| {
        stage.make(run, Vec::new()).await?;
        Call::LoadCheckpoint(run.clone())
    };
    "save_checkpoint": |stage, run| {
        stage.make(run, notes(1, 2)).await?;
        Call::SaveCheckpoint(run.clone(), Checkpoint::sealed(2, 1, "{}".to_owned()))
    };
    "prune_run": |stage, run| {
        let whole = vec![event(EventType::RunStarted, "start"), event(EventType::RunCompleted, "end")];
        let grant = stage.claimed(run, whole).await?;
        stage.call(Call::MarkDelivered(vec![(grant, 2)])).await?;
        Call::Prune(run.clone())
    };
    "claim": |stage, run| {
        stage.make(run, notes(1, 2)).await?;
        claim()
    };
    "extend": |stage, run| Call::Extend(vec![stage.claimed(run, notes(1, 2)).await?], 3 * STEP);
    "mark_delivered": |stage, run| Call::MarkDelivered(vec![(stage.claimed(run, notes(1, 2)).await?, 1)]);
    "mark_failed": |stage, run| {
        let grant = stage.claimed(run, notes(1, 2)).await?;
        Call::MarkFailed(grant, 2, "down".into(), policy(2))
    };
    "mark_failed for good": |stage, run| {
        let grant = stage.claimed(run, notes(1, 2)).await?;
        Call::MarkFailed(grant, 2, "down".into(), policy(1))
    };
    "release": |stage, run| Call::Release(vec![stage.claimed(run, notes(1, 2)).await?]);
    "list_pending": |stage, run| {
        stage.make(run, notes(1, 2)).await?;
        Call::ListPending(PendingQuery::default())
    };
    "list_dead_letters": |stage, run| {
        stage.dead(run).await?;
        Call::ListDeadLetters(DeadLetterQuery::default())
    };
    "retry_dead_letter": |stage, run| {
        stage.dead(run).await?;
        Call::Resolve(run.clone(), 1, ResolutionKind::Retried, by_ann())
    };
    "skip_dead_letter": |stage, run| {
        stage.dead(run).await?;
        Call::Resolve(run.clone(), 1, ResolutionKind::Skipped, by_ann())
    };
    "park_run": |stage, run| {
        stage.make(run, notes(1, 2)).await?;
        Call::Park(run.clone(), by_ann())
    };
    "bind_destination" (once): |_stage, _run| Call::Bind("bus".parse().map_err(never)?);
    "retarget" (once): |stage, _run| {
        stage.call(Call::Bind("bus".parse().map_err(never)?)).await?;
        Call::Retarget("bus".parse().map_err(never)?, "other bus".parse().map_err(never)?, by_ann())
    };
    "stats": |stage, run| {
        stage.make(run, notes(1, 2)).await?;
        Call::Stats
    };
}

fn never(error: impl std::fmt::Display) -> Failure {
    Failure::new(error.to_string())
}
