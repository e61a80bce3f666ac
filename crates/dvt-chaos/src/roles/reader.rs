use std::sync::Arc;
use std::time::Duration;

use dvt_chaos::proxy::Dice;
use dvt_contracts::{
    Checkpoint, DeadLetterQuery, ErrorClass, EventPage, PendingQuery, RunKey, RunQuery,
    RunStateStoreExt as _, Store, StoreError,
};
use tokio::time::sleep;

use super::order::{Order, Orders};
use super::recorded::{failed, text};
use super::{Station, TENANTS};
use crate::BoxError;
use crate::fingerprint;
use crate::history::{Call, Reply};
use crate::pen::Pen;

/// Lists runs, reads pages of their logs, and saves checkpoints.
pub(crate) async fn run(
    station: &Station,
    store: Arc<dyn Store>,
    pen: Pen,
    orders: Orders,
) -> Result<(), BoxError> {
    #[cfg(feature = "planted")]
    let store = crate::planted::reader_store(station, store).await?;
    let mut reader = Reader {
        store,
        pen,
        dice: Dice::of(station.seed, &[9, station.incarnation]),
    };
    while orders.now() == Order::Work {
        reader.look().await?;
        sleep(Duration::from_millis(20 + reader.dice.roll(60))).await;
    }
    orders.reach(Order::Stop).await;
    Ok(())
}

#[derive(Debug)]
struct Reader {
    store: Arc<dyn Store>,
    pen: Pen,
    dice: Dice,
}

impl Reader {
    async fn look(&mut self) -> Result<(), BoxError> {
        let tenant = TENANTS[usize::try_from(self.dice.roll(TENANTS.len() as u64))?];
        match self.dice.roll(10) {
            0 => self.outbox(tenant).await?,
            _ => {
                let runs = self.runs(tenant).await?;
                let at = usize::try_from(self.dice.roll(runs.len() as u64))?;
                if let Some(run) = runs.get(at) {
                    self.log(run).await?;
                }
            }
        }
        Ok(())
    }

    /// Some of a tenant's runs, from anywhere in the list.
    async fn runs(&mut self, tenant: &str) -> Result<Vec<RunKey>, BoxError> {
        let starts = [
            "hot",
            "writer0",
            "writer1",
            "writer2",
            "writer4",
            "writer5i0.2",
            "writer6i0.3",
            "writer7",
        ];
        let start = starts[usize::try_from(self.dice.roll(starts.len() as u64))?];
        let query = RunQuery {
            after: Some(start.parse()?),
            limit: 40,
            ..RunQuery::new(tenant.parse()?)
        };
        let begun = self.pen.begin(Call::List {
            tenant: tenant.to_owned(),
        });
        let listed = self.store.list_runs(&query).await;
        let runs = listed.map(|runs| {
            runs.into_iter()
                .map(|record| record.run)
                .collect::<Vec<_>>()
        });
        self.pen.end(begun, self::listed(&runs));
        Ok(runs.unwrap_or_default())
    }

    /// What waits of a tenant's runs, and what is dead.
    async fn outbox(&mut self, tenant: &str) -> Result<(), BoxError> {
        let begun = self.pen.begin(Call::List {
            tenant: tenant.to_owned(),
        });
        let query = PendingQuery {
            tenant_id: Some(tenant.parse()?),
            limit: 20,
            ..PendingQuery::default()
        };
        let pending = self.store.list_pending(&query).await;
        self.pen.end(
            begun,
            match &pending {
                Ok(pending) => Reply::Listed(
                    pending
                        .iter()
                        .map(|pending| pending.run.to_string())
                        .collect(),
                ),
                Err(error) => failed(error),
            },
        );
        let begun = self.pen.begin(Call::List {
            tenant: tenant.to_owned(),
        });
        let query = DeadLetterQuery {
            tenant_id: Some(tenant.parse()?),
            limit: 20,
            ..DeadLetterQuery::default()
        };
        let dead = self.store.list_dead_letters(&query).await;
        self.pen.end(
            begun,
            match &dead {
                Ok(dead) => Reply::Listed(dead.iter().map(|dead| dead.run.to_string()).collect()),
                Err(error) => failed(error),
            },
        );
        Ok(())
    }

    /// A page of a run's log, and sometimes its state.
    async fn log(&mut self, run: &RunKey) -> Result<(), BoxError> {
        let after = match self.dice.roll(2) {
            0 => 0,
            _ => self.dice.roll(200),
        };
        let begun = self.pen.begin(Call::Read {
            run: run.to_string(),
            after,
        });
        let page = self.store.list_events(run, after, 60).await;
        self.pen.end(begun, read(&page));
        if self.dice.roll(8) == 0
            && let Ok(state) = self.store.load_state(run).await
        {
            // Refused if the run was pruned meanwhile: that is all the same here.
            drop(
                self.store
                    .save_checkpoint(run, &Checkpoint::of(&state))
                    .await,
            );
        }
        Ok(())
    }
}

fn read(page: &Result<EventPage, StoreError>) -> Reply {
    match page {
        Ok(page) => Reply::Page {
            head: page.head,
            pruned: page.pruned_at.is_some(),
            events: page
                .events
                .iter()
                .map(|event| (event.run_seq, fingerprint::of(&event.event)))
                .collect(),
        },
        Err(error) => refused(error),
    }
}

fn listed(runs: &Result<Vec<RunKey>, StoreError>) -> Reply {
    match runs {
        Ok(runs) => Reply::Listed(runs.iter().map(ToString::to_string).collect()),
        Err(error) => refused(error),
    }
}

fn refused(error: &StoreError) -> Reply {
    match error.class() {
        ErrorClass::Unknown => Reply::Unknown(text(error)),
        class => Reply::Refused(format!("{class:?}: {}", text(error))),
    }
}
