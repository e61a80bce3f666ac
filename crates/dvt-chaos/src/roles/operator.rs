use std::sync::Arc;
use std::time::Duration;

use dvt_chaos::proxy::Dice;
use dvt_contracts::{
    DeadLetterQuery, ErrorClass, OperatorNote, OutboxStorage as _, PendingQuery, PendingState,
    RunId, RunKey, RunQuery, RunStatus, Store,
};
use tokio::time::sleep;

use super::order::{Order, Orders};
use super::recorded::{Recorded, text};
use super::{Station, TENANTS};
use crate::BoxError;
use crate::history::{Call, Reply};
use crate::pen::Pen;

/// Parks runs, retries and skips dead letters, and prunes runs that have ended. In the end only the dead letters are left to retry.
pub(crate) async fn run(
    station: &Station,
    store: Arc<dyn Store>,
    pen: Pen,
    orders: Orders,
) -> Result<(), BoxError> {
    #[cfg(feature = "planted")]
    let store = crate::planted::operator_store(station, store).await?;
    let outbox = Recorded::new(Arc::clone(&store), pen.lane("operator"));
    let dice = Dice::of(station.seed, &[8, station.incarnation]);
    let mut operator = Operator {
        store,
        outbox,
        pen: pen.lane("pruner"),
        dice,
        after: None,
        begun: Vec::new(),
    };
    while orders.now() < Order::Stop {
        let works = orders.now() == Order::Work;
        operator.dead_letters(works).await;
        if works {
            operator.park().await;
            operator.prune().await?;
        } else {
            operator.finish_prunes().await;
        }
        tokio::select! {
            () = sleep(Duration::from_millis(100 + operator.dice.roll(300))) => {}
            () = orders.reach(Order::Stop) => {}
        }
    }
    Ok(())
}

#[derive(Debug)]
struct Operator {
    store: Arc<dyn Store>,
    outbox: Recorded<dyn Store>,
    pen: Pen,
    dice: Dice,
    /// Up to where the pruner has looked.
    after: Option<RunId>,
    /// Runs whose prune has begun and is to be finished: a repetition removes what was left.
    begun: Vec<RunKey>,
}

impl Operator {
    /// Retries most that are open, and skips some if that is allowed. A lost answer comes up again.
    async fn dead_letters(&mut self, may_skip: bool) {
        let query = DeadLetterQuery {
            open_only: true,
            limit: 50,
            ..DeadLetterQuery::default()
        };
        for dead in self
            .outbox
            .list_dead_letters(&query)
            .await
            .unwrap_or_default()
        {
            let note = OperatorNote::new("chaos", "looked into it");
            let _ = match may_skip && self.dice.roll(3) == 0 {
                true => {
                    self.outbox
                        .skip_dead_letter(&dead.run, dead.dead_letter_no, &note)
                        .await
                }
                false => {
                    self.outbox
                        .retry_dead_letter(&dead.run, dead.dead_letter_no, &note)
                        .await
                }
            };
        }
    }

    async fn park(&mut self) {
        let query = PendingQuery {
            limit: 30,
            ..PendingQuery::default()
        };
        let mut pending = self.outbox.list_pending(&query).await.unwrap_or_default();
        pending.retain(|run| !matches!(run.state, PendingState::Parked { .. }));
        let at = usize::try_from(self.dice.roll(pending.len() as u64)).unwrap_or(0);
        if let Some(run) = pending.get(at)
            && self.dice.roll(2) == 0
        {
            let note = OperatorNote::new("chaos", "something is wrong here");
            drop(self.outbox.park_run(&run.run, &note).await);
        }
    }

    /// Half of the ended runs go; some are tried that may not, too.
    async fn prune(&mut self) -> Result<(), BoxError> {
        let tenant = TENANTS[usize::try_from(self.dice.roll(TENANTS.len() as u64))?];
        let status = (self.dice.roll(10) > 0).then_some(RunStatus::Completed);
        let after = self.after.take();
        let query = RunQuery {
            status,
            pruned: Some(false),
            after,
            limit: 20,
            ..RunQuery::new(tenant.parse()?)
        };
        let records = self.store.list_runs(&query).await.unwrap_or_default();
        self.after = records.last().map(|last| last.run.run_id.clone());
        // The same for every look, so that some stay to the end.
        let half = |run: &RunKey| crate::fingerprint::key(run.run_id.as_str()) % 2 == 1;
        self.begun
            .extend(records.into_iter().map(|record| record.run).filter(half));
        self.finish_prunes().await;
        Ok(())
    }

    /// Whatever failed for now comes up again.
    async fn finish_prunes(&mut self) {
        for run in std::mem::take(&mut self.begun) {
            let begun = self.pen.begin(Call::Prune {
                run: run.to_string(),
            });
            let reply = match self.store.prune_run(&run).await {
                Ok(outcome) => Reply::Pruned(outcome.removed),
                Err(error) => {
                    if matches!(error.class(), ErrorClass::Unknown | ErrorClass::Transient) {
                        self.begun.push(run);
                    }
                    match error.class() {
                        ErrorClass::Unknown => Reply::Unknown(text(&error)),
                        class => Reply::Refused(format!("{class:?}: {}", text(&error))),
                    }
                }
            };
            self.pen.end(begun, reply);
        }
    }
}
