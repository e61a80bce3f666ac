//! Reading the state of a long run: the whole log, and a checkpoint with what came after it.

use std::time::{Duration, Instant};

use dvt_adapter_postgres::PostgresStore;
use dvt_contracts::{
    AppendRequest, Attempt, Checkpoint, Event, EventType, RunKey, RunState, RunStateStore as _,
    RunStateStoreExt as _, Timestamp,
};

use crate::BoxError;
use crate::event::run;
use crate::ground::Ground;
use crate::report::{Bar, Report};
use crate::rounds::median;

const STEPS: u64 = 1_000;
const BATCH: u64 = 1_000;
const ROUNDS: usize = 5;
/// How far the checkpoint is behind.
const TAIL: u64 = 100;

/// Measures it on a run with 100,000 events of 1,000 steps.
pub(crate) async fn measure(
    ground: &Ground,
    quick: bool,
    report: &mut Report,
) -> Result<(), BoxError> {
    ground.empty().await?;
    let events = if quick { 10_000 } else { 100_000 };
    let store = ground.store(1).await?;
    let run = run("long")?;
    ground.bootstrap(&store, &run).await?;
    let mut state = RunState::new();
    fill(&store, &run, 0..events - TAIL).await?;
    // Reading saves nothing, so it is as cold in every round.
    let cold = timed(&store, &run, &mut state).await?;
    report.absolute("load_state_100k_cold_ms", Bar::AtMost(500.0), cold);
    store.load_state(&run).await?;
    if store.load_checkpoint(&run).await? != Some(Checkpoint::of(&state)) {
        return Err("the state was loaded from its first event on, and no checkpoint saved".into());
    }
    fill(&store, &run, events - TAIL..events).await?;
    let checkpoint = timed(&store, &run, &mut state).await?;
    report.absolute(
        "load_state_100k_checkpoint_ms",
        Bar::AtMost(10.0),
        checkpoint,
    );
    if state.last_seq() != events || state.anomalies_total() != 0 {
        return Err(format!("the state ends at {} of {events}", state.last_seq()).into());
    }
    Ok(())
}

/// The median time in milliseconds.
async fn timed(store: &PostgresStore, run: &RunKey, state: &mut RunState) -> Result<f64, BoxError> {
    let mut times = Vec::new();
    for _ in 0..ROUNDS {
        let begun = Instant::now();
        *state = store.read_state(run).await?;
        times.push(begun.elapsed().as_secs_f64() * Duration::from_secs(1).as_millis() as f64);
    }
    Ok(median(times))
}

/// A start, and then starts and ends of steps in turns, each pair an attempt.
async fn fill(
    store: &PostgresStore,
    run: &RunKey,
    numbers: std::ops::Range<u64>,
) -> Result<(), BoxError> {
    let mut batch = Vec::new();
    for number in numbers.clone() {
        batch.push(event(number)?);
        if batch.len() as u64 == BATCH || number + 1 == numbers.end {
            let request = AppendRequest::new(run.clone(), std::mem::take(&mut batch));
            store.append_and_enqueue(request).await?;
        }
    }
    Ok(())
}

fn event(number: u64) -> Result<Event, BoxError> {
    let key = format!("{number:064}").parse()?;
    if number == 0 {
        return Ok(Event::new(
            EventType::RunStarted,
            None,
            key,
            Timestamp::now(),
        )?);
    }
    // 1 starts an attempt, 2 ends it, 3 starts the next.
    let pair = (number - 1) / 2;
    let step = format!("model.shop.step_{}", pair % STEPS).parse()?;
    let kind = match number % 2 {
        1 => EventType::StepStarted,
        _ => EventType::StepCompleted,
    };
    let event = Event::new(kind, Some(step), key, Timestamp::now())?;
    Ok(event.with_logical_attempt(Attempt::new(pair / STEPS + 1)?))
}
