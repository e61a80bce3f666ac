//! Bugs in bootstraps, tenants and listings of runs.

use std::collections::HashMap;
use std::sync::Mutex;

use async_trait::async_trait;
use dvt_contracts::*;

use super::tools::log;
use super::{on, planted};
use crate::bug::Bug;

planted! {
    EmptyRunIsRunning => "tells a run without events as Running",
    BootstrapAlwaysCreates => "tells every equal bootstrap that it created the run",
    BootstrapTimeMoves => "answers an equal bootstrap with a later creation time",
    LaterBootstrapRefused => "refuses an equal bootstrap once the log went on",
    MetadataIgnored => "accepts a bootstrap with other metadata",
    PlanVersionIgnored => "accepts a bootstrap with another plan version",
    FirstEventsIgnored => "accepts a bootstrap with other first events",
    FirstEventsBackwards => "writes several first events in reverse",
    TombstoneExists => "answers the bootstrap of a pruned run with RunAlreadyExists",
    MissingRunIsEmpty => "reads the log of a run that is not there as empty",
    MissingCheckpointIsNone => "answers for the checkpoint of a run that is not there",
    RunsInReverse => "lists a page of runs backwards",
    RunsIgnoreCase => "lists runs in an order that ignores case",
    RunPagesOverlap => "begins a page of runs with the last one of the page before",
    RunLimitZeroIsAll => "takes a limit of 0 runs for no limit",
    FilterAfterLimit => "filters a page of runs after it was cut",
    EnvironmentNotFiltered => "ignores the environment filter when a status is asked for",
    SinceNotFiltered => "ignores the time filter",
    BeforeNotFiltered => "ignores the upper time filter",
    PrunedNotFiltered => "lists pruned runs whether asked for or not",
    ListingUnbounded => "lists any number of runs",
    CursorStandsStill => "tells 0 as the cursor of a run",
    TenantIsAPrefix => "lists runs of all tenants whose names begin like the one asked for",
    TenantPerRun => "lists a tenant once for each of its runs",
    TenantPagesOverlap => "begins a page of tenants with the last one of the page before",
    RunIdsAreGlobal => "keeps runs by their id, whatever the tenant",
    TenantNotChecked => "lets any tenant read a log by its run id",
    StatusOfTheLastEvent => "takes the status from the last run event, legal or not",
    StatusStandsStill => "tells the status that a run had when it was first asked for",
    ProviderRefStays => "keeps the first provider reference for ever",
    HandlesApart => "shows a log only to the handle that made the run",
}

type Runs = Result<Vec<RunRecord>, StoreError>;
type Booted = Result<BootstrapOutcome, StoreError>;
type Page = Result<EventPage, StoreError>;

on!(EmptyRunIsRunning, get_run(run: &RunKey) -> Result<RunRecord, StoreError>, |inner| {
    let mut record = inner.get_run(run).await?;
    if record.head == 0 {
        record.status = RunStatus::Running;
    }
    Ok(record)
});
on!(BootstrapAlwaysCreates, bootstrap_run(request: &BootstrapRequest) -> Booted, |inner| {
    let outcome = inner.bootstrap_run(request).await?;
    Ok(BootstrapOutcome { created: true, ..outcome })
});
on!(BootstrapTimeMoves, bootstrap_run(request: &BootstrapRequest) -> Booted, |inner| {
    let mut outcome = inner.bootstrap_run(request).await?;
    if !outcome.created {
        let later = std::time::Duration::from_secs(100);
        outcome.created_at = outcome.created_at.saturating_add(later);
    }
    Ok(outcome)
});
on!(LaterBootstrapRefused, bootstrap_run(request: &BootstrapRequest) -> Booted, |inner| {
    let outcome = inner.bootstrap_run(request).await?;
    if inner.get_run(&request.run).await?.head > request.events.len() as u64 {
        return Err(StoreError::RunAlreadyExists { run: request.run.clone() });
    }
    Ok(outcome)
});
on!(MetadataIgnored, bootstrap_run(request: &BootstrapRequest) -> Booted, |inner| {
    match inner.get_run(&request.run).await {
        Ok(RunRecord { metadata, .. }) => {
            inner.bootstrap_run(&BootstrapRequest { metadata, ..request.clone() }).await
        }
        Err(_) => inner.bootstrap_run(request).await,
    }
});
on!(PlanVersionIgnored, bootstrap_run(request: &BootstrapRequest) -> Booted, |inner| {
    let mut request = request.clone();
    if let Ok(record) = inner.get_run(&request.run).await {
        request.metadata.plan_version = record.metadata.plan_version;
    }
    inner.bootstrap_run(&request).await
});
on!(FirstEventsIgnored, bootstrap_run(request: &BootstrapRequest) -> Booted, |inner| {
    match inner.bootstrap_run(request).await {
        Err(StoreError::RunAlreadyExists { .. }) => {
            inner.bootstrap_run(&BootstrapRequest { events: Vec::new(), ..request.clone() }).await
        }
        reply => reply,
    }
});
on!(FirstEventsBackwards, bootstrap_run(request: &BootstrapRequest) -> Booted, |inner| {
    let mut request = request.clone();
    if inner.get_run(&request.run).await.is_err() {
        request.events.reverse();
    }
    let mut outcome = inner.bootstrap_run(&request).await?;
    if outcome.created {
        outcome.events.reverse();
    }
    Ok(outcome)
});
on!(TombstoneExists, bootstrap_run(request: &BootstrapRequest) -> Booted, |inner| {
    match inner.bootstrap_run(request).await {
        Err(StoreError::RunPruned { run, .. }) => Err(StoreError::RunAlreadyExists { run }),
        reply => reply,
    }
});
on!(MissingRunIsEmpty, list_events(run: &RunKey, after_seq: u64, limit: u32) -> Page, |inner| {
    match inner.list_events(run, after_seq, limit).await {
        Err(StoreError::RunNotFound { .. }) => {
            Ok(EventPage { head: 0, pruned_at: None, events: Vec::new() })
        }
        page => page,
    }
});
on!(MissingCheckpointIsNone, load_checkpoint(run: &RunKey) -> Result<Option<Checkpoint>, StoreError>, |inner| {
    match inner.load_checkpoint(run).await {
        Err(StoreError::RunNotFound { .. }) => Ok(None),
        reply => reply,
    }
});
on!(RunsInReverse, list_runs(query: &RunQuery) -> Runs, |inner| {
    let mut runs = inner.list_runs(query).await?;
    runs.reverse();
    Ok(runs)
});
on!(RunsIgnoreCase, list_runs(query: &RunQuery) -> Runs, |inner| {
    let mut runs = inner.list_runs(query).await?;
    runs.sort_by_key(|record| record.run.run_id.as_str().to_lowercase());
    Ok(runs)
});
on!(RunPagesOverlap, list_runs(query: &RunQuery) -> Runs, |inner| {
    let all = RunQuery { after: None, limit: MAX_PAGE, ..query.clone() };
    let mut runs = inner.list_runs(&all).await?;
    runs.retain(|record| query.after.as_ref().is_none_or(|after| record.run.run_id >= *after));
    runs.truncate(query.limit as usize);
    Ok(runs)
});
on!(RunLimitZeroIsAll, list_runs(query: &RunQuery) -> Runs, |inner| {
    let limit = if query.limit == 0 { MAX_PAGE } else { query.limit };
    inner.list_runs(&RunQuery { limit, ..query.clone() }).await
});
on!(FilterAfterLimit, list_runs(query: &RunQuery) -> Runs, |inner| {
    let mut runs = inner.list_runs(&RunQuery { status: None, ..query.clone() }).await?;
    runs.retain(|record| query.status.is_none_or(|status| status == record.status));
    Ok(runs)
});
on!(EnvironmentNotFiltered, list_runs(query: &RunQuery) -> Runs, |inner| {
    let mut query = query.clone();
    if query.status.is_some() {
        query.environment_id = None;
    }
    inner.list_runs(&query).await
});
on!(SinceNotFiltered, list_runs(query: &RunQuery) -> Runs, |inner| {
    inner.list_runs(&RunQuery { created_since: None, ..query.clone() }).await
});
on!(TenantIsAPrefix, list_runs(query: &RunQuery) -> Runs, |inner| {
    let mut runs = Vec::new();
    for tenant_id in inner.list_tenants(None, MAX_PAGE).await? {
        if tenant_id.as_str().starts_with(query.tenant_id.as_str()) {
            runs.extend(inner.list_runs(&RunQuery { tenant_id, ..query.clone() }).await?);
        }
    }
    runs.truncate(query.limit as usize);
    Ok(runs)
});
on!(TenantPerRun, list_tenants(after: Option<&TenantId>, limit: u32) -> Result<Vec<TenantId>, StoreError>, |inner| {
    let mut tenants = Vec::new();
    for tenant in inner.list_tenants(after, MAX_PAGE).await? {
        let runs = inner.list_runs(&RunQuery::new(tenant.clone())).await?.len();
        tenants.extend(std::iter::repeat_n(tenant, runs));
    }
    tenants.truncate(limit as usize);
    Ok(tenants)
});
on!(TenantPagesOverlap, list_tenants(after: Option<&TenantId>, limit: u32) -> Result<Vec<TenantId>, StoreError>, |inner| {
    let mut tenants = inner.list_tenants(None, MAX_PAGE).await?;
    tenants.retain(|tenant| after.is_none_or(|after| tenant >= after));
    tenants.truncate(limit as usize);
    Ok(tenants)
});
on!(TenantNotChecked, list_events(run: &RunKey, after_seq: u64, limit: u32) -> Page, |inner| {
    let page = inner.list_events(run, after_seq, limit).await;
    if page.is_ok() {
        return page;
    }
    for tenant_id in inner.list_tenants(None, MAX_PAGE).await? {
        let theirs = RunKey::new(tenant_id, run.run_id.clone());
        if let Ok(page) = inner.list_events(&theirs, after_seq, limit).await {
            return Ok(page);
        }
    }
    page
});

#[derive(Debug, Default)]
struct RunIdsAreGlobal(Mutex<HashMap<RunId, TenantId>>);
impl RunIdsAreGlobal {
    fn owner(&self, run: &RunKey) -> RunKey {
        let mut owners = self.0.lock().expect("notes");
        let owner = owners
            .entry(run.run_id.clone())
            .or_insert_with(|| run.tenant_id.clone());
        RunKey::new(owner.clone(), run.run_id.clone())
    }
}
#[async_trait]
impl Bug for RunIdsAreGlobal {
    async fn bootstrap_run(&self, inner: &dyn Store, request: &BootstrapRequest) -> Booted {
        let run = self.owner(&request.run);
        inner
            .bootstrap_run(&BootstrapRequest {
                run,
                ..request.clone()
            })
            .await
    }
    async fn get_run(&self, inner: &dyn Store, run: &RunKey) -> Result<RunRecord, StoreError> {
        inner.get_run(&self.owner(run)).await
    }
    async fn list_events(
        &self,
        inner: &dyn Store,
        run: &RunKey,
        after_seq: u64,
        limit: u32,
    ) -> Page {
        inner.list_events(&self.owner(run), after_seq, limit).await
    }
}

/// The status that the last run event seems to give.
async fn naive_status(inner: &dyn Store, run: &RunKey) -> Option<RunStatus> {
    let log = log(inner, run).await;
    let to = |event: &RunEvent| transition(event.event.event_type()).and_then(|row| row.to);
    log.iter().rev().find_map(to)
}

#[derive(Debug, Default)]
struct StatusOfTheLastEvent;
#[async_trait]
impl Bug for StatusOfTheLastEvent {
    async fn get_run(&self, inner: &dyn Store, run: &RunKey) -> Result<RunRecord, StoreError> {
        let mut record = inner.get_run(run).await?;
        record.status = naive_status(inner, run).await.unwrap_or(record.status);
        Ok(record)
    }
    async fn list_runs(&self, inner: &dyn Store, query: &RunQuery) -> Runs {
        let mut runs = inner.list_runs(query).await?;
        for record in &mut runs {
            record.status = naive_status(inner, &record.run)
                .await
                .unwrap_or(record.status);
        }
        Ok(runs)
    }
}

#[derive(Debug, Default)]
struct StatusStandsStill(Mutex<HashMap<RunKey, RunStatus>>);
#[async_trait]
impl Bug for StatusStandsStill {
    async fn get_run(&self, inner: &dyn Store, run: &RunKey) -> Result<RunRecord, StoreError> {
        let mut record = inner.get_run(run).await?;
        let mut notes = self.0.lock().expect("notes");
        record.status = *notes.entry(run.clone()).or_insert(record.status);
        Ok(record)
    }
}

#[derive(Debug, Default)]
struct ProviderRefStays;
#[async_trait]
impl Bug for ProviderRefStays {
    async fn save_provider_ref(
        &self,
        inner: &dyn Store,
        run: &RunKey,
        provider_ref: &ProviderRef,
    ) -> Result<(), StoreError> {
        match inner.get_run(run).await? {
            RunRecord {
                provider_ref: Some(_),
                pruned_at: None,
                ..
            } => Ok(()),
            _ => inner.save_provider_ref(run, provider_ref).await,
        }
    }
}

#[derive(Debug, Default)]
struct HandlesApart(Mutex<HashMap<RunKey, usize>>);
fn handle(inner: &dyn Store) -> usize {
    std::ptr::from_ref(inner).cast::<u8>().addr()
}
#[async_trait]
impl Bug for HandlesApart {
    async fn bootstrap_run(&self, inner: &dyn Store, request: &BootstrapRequest) -> Booted {
        let run = request.run.clone();
        self.0
            .lock()
            .expect("notes")
            .entry(run)
            .or_insert_with(|| handle(inner));
        inner.bootstrap_run(request).await
    }
    async fn list_events(
        &self,
        inner: &dyn Store,
        run: &RunKey,
        after_seq: u64,
        limit: u32,
    ) -> Page {
        let maker = self.0.lock().expect("notes").get(run).copied();
        if maker.is_some_and(|maker| maker != handle(inner)) {
            return Err(StoreError::RunNotFound { run: run.clone() });
        }
        inner.list_events(run, after_seq, limit).await
    }
}

on!(BeforeNotFiltered, list_runs(query: &RunQuery) -> Runs, |inner| {
    inner.list_runs(&RunQuery { created_before: None, ..query.clone() }).await
});
on!(PrunedNotFiltered, list_runs(query: &RunQuery) -> Runs, |inner| {
    inner.list_runs(&RunQuery { pruned: None, ..query.clone() }).await
});
on!(ListingUnbounded, list_runs(query: &RunQuery) -> Runs, |inner| {
    let mut runs = inner.list_runs(query).await?;
    if runs.len() == MAX_PAGE as usize && query.limit > MAX_PAGE {
        let after = runs.last().map(|record| record.run.run_id.clone());
        runs.extend(inner.list_runs(&RunQuery { after, ..query.clone() }).await?);
    }
    Ok(runs)
});
on!(CursorStandsStill, get_run(run: &RunKey) -> Result<RunRecord, StoreError>, |inner| {
    Ok(RunRecord { delivered_seq: 0, ..inner.get_run(run).await? })
});
