//! A store in a file: a commit for each append, and one for all that come together.

use std::sync::Arc;

use dvt_adapter_sqlite::{SqliteSettings, SqliteStore};
use dvt_contracts::{
    AppendRequest, BootstrapRequest, RunKey, RunStateStore, RunStateStoreExt as _,
};
use dvt_layers::GroupCommit;
use tokio::task::JoinSet;

use crate::BoxError;
use crate::event::{Events, metadata, run};
use crate::report::{Bar, Ratio, Report};
use crate::rounds::{Scale, duel, rate};

const CALLERS: u64 = 64;

/// Measures it, on the disk of the folder for temporary files.
pub(crate) async fn measure(scale: Scale, report: &mut Report) -> Result<(), BoxError> {
    let folder = tempfile::tempdir()?;
    let store = SqliteStore::open(SqliteSettings::new(folder.path().join("dvt.db"))).await?;
    let count = scale.events / CALLERS * CALLERS;
    let single = Arc::new(store.clone());
    let grouped = Arc::new(GroupCommit::new(store.clone()));
    let duel = duel(
        scale,
        async |round| {
            let runs = runs(&store, &format!("single-{round}")).await?;
            rate(count, at_once(&single, &runs, count / CALLERS)).await
        },
        async |round| {
            let runs = runs(&store, &format!("grouped-{round}")).await?;
            rate(count, at_once(&grouped, &runs, count / CALLERS)).await
        },
    )
    .await?;
    for kind in ["single", "grouped"] {
        for round in 0..=scale.rounds {
            for number in 0..CALLERS {
                let run = run(&format!("{kind}-{round}-{number}"))?;
                let head = store.get_run(&run).await?.head;
                if head != count / CALLERS {
                    return Err(format!("{run}: {head} events found").into());
                }
            }
        }
    }
    store.close().await;
    report.ratio(Ratio {
        group: "sqlite",
        key: "sqlite_group_commit_vs_single",
        what: "64 callers, GroupCommit vs a commit per append, events/s",
        bar: Bar::AtLeast(5.0),
        duel,
    });
    Ok(())
}

async fn runs(store: &SqliteStore, name: &str) -> Result<Vec<RunKey>, BoxError> {
    let mut runs = Vec::new();
    for number in 0..CALLERS {
        let run = run(&format!("{name}-{number}"))?;
        let request = BootstrapRequest {
            run: run.clone(),
            metadata: metadata()?,
            events: Vec::new(),
        };
        store.bootstrap_run(&request).await?;
        runs.push(run);
    }
    Ok(runs)
}

async fn at_once<S: RunStateStore + 'static>(
    store: &Arc<S>,
    runs: &[RunKey],
    share: u64,
) -> Result<(), BoxError> {
    let events = Events::new()?;
    let mut callers = JoinSet::new();
    for run in runs {
        let (store, events, run) = (Arc::clone(store), events.clone(), run.clone());
        callers.spawn(async move {
            for number in 0..share {
                let request = AppendRequest::new(run.clone(), vec![events.event(number)?]);
                store.append_and_enqueue(request).await?;
            }
            Ok::<_, BoxError>(())
        });
    }
    while let Some(ended) = callers.join_next().await {
        ended??;
    }
    Ok(())
}
