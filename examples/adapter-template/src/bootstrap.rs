use dvt_contracts::{
    BootstrapOutcome, BootstrapRequest, ConflictPolicy, Event, StoreError, Timestamp,
};

use crate::run::Run;
use crate::state::State;

/// Makes a run, or recognises the bootstrap that made it.
pub(crate) fn bootstrap(
    state: &mut State,
    request: &BootstrapRequest,
    now: Timestamp,
) -> Result<BootstrapOutcome, StoreError> {
    let BootstrapRequest {
        run: key,
        metadata,
        events,
    } = request;
    let created = !state.runs.contains_key(key);
    let run = state
        .runs
        .entry(key.clone())
        .or_insert_with(|| Run::new(key.clone(), metadata.clone(), now));
    if let Some(pruned_at) = run.pruned_at() {
        return Err(StoreError::RunPruned {
            run: key.clone(),
            pruned_at,
        });
    }
    let equal = || run.metadata == *metadata && events.iter().all(|event| run.has(event, events));
    if !created && !equal() {
        return Err(StoreError::RunAlreadyExists { run: key.clone() });
    }
    let plan = run.plan(events, ConflictPolicy::FirstWins, now)?;
    Ok(BootstrapOutcome {
        created,
        created_at: run.created_at,
        events: run.write(plan, now),
    })
}

impl Run {
    /// Whether the log has this event. If its key is repeated, the first use counts.
    fn has(&self, event: &Event, events: &[Event]) -> bool {
        let key = event.idempotency_key();
        let first = events
            .iter()
            .find(|first| first.idempotency_key() == key)
            .unwrap_or(event);
        self.event_with(key)
            .is_some_and(|stored| stored.event.same_content(first))
    }
}
