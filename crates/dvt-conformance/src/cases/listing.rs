//! Which runs and tenants are listed, in which order.

use dvt_contracts::{
    BootstrapRequest, EventType, RunKey, RunMetadata, RunQuery, RunRecord, RunStatus, TenantId,
};

use crate::cx::Cx;
use crate::failure::{Failure, check_eq};
use crate::fixture::{event, metadata, metadata_of, run, run_of};

fn ids(records: &[RunRecord]) -> Vec<&str> {
    records
        .iter()
        .map(|record| record.run.run_id.as_str())
        .collect()
}

fn all_of(run: &RunKey) -> RunQuery {
    RunQuery::new(run.tenant_id.clone())
}

/// list runs in the order of their ids, byte by byte
///
/// CASES: A 11.
pub async fn runs_are_listed_in_byte_order(cx: &Cx) -> Result<(), Failure> {
    let shuffled = [
        "b", "é", "B", "a-b", "10", "a", "9", "_", "a b", "ab", "Z", "z", "e",
    ];
    for id in shuffled {
        cx.run(id).await?;
    }

    let records = cx.store.list_runs(&all_of(&run("a"))).await?;

    let mut sorted = shuffled;
    sorted.sort_unstable();
    check_eq!(ids(&records), sorted, "run ids");
    for record in &records {
        check_eq!(
            *record,
            cx.store.get_run(&record.run).await?,
            "record in the list"
        );
    }
    Ok(())
}

/// give pages of runs that fit together without a gap or an overlap, none for limit 0
///
/// CASES: B 22.
pub async fn pages_of_runs_fit_together(cx: &Cx) -> Result<(), Failure> {
    for id in ["a", "b", "c", "d", "e"] {
        cx.run(id).await?;
    }
    let page = |after: Option<&'static str>, limit| RunQuery {
        after: after.map(|id| run(id).run_id),
        limit,
        ..all_of(&run("a"))
    };

    for (query, expected) in [
        (page(None, 2), vec!["a", "b"]),
        (page(Some("b"), 2), vec!["c", "d"]),
        (page(Some("d"), 2), vec!["e"]),
        (page(Some("e"), 2), vec![]),
        (page(Some("bb"), 1), vec!["c"]),
        (page(None, 0), vec![]),
        (page(None, u32::MAX), vec!["a", "b", "c", "d", "e"]),
    ] {
        check_eq!(
            ids(&cx.store.list_runs(&query).await?),
            expected,
            "page {query:?}"
        );
    }
    Ok(())
}

/// apply all filters that are set at once
pub async fn filters_apply_together(cx: &Cx) -> Result<(), Failure> {
    let (usual, other) = (metadata(), metadata_of("other"));
    let make = |id: &str, metadata: &RunMetadata, events| BootstrapRequest {
        run: run(id),
        metadata: metadata.clone(),
        events,
    };
    let started = || vec![event(EventType::RunStarted, "k1")];
    let elsewhere = RunMetadata {
        environment_id: other.environment_id.clone(),
        ..usual.clone()
    };
    let foreign = RunMetadata {
        project_id: other.project_id.clone(),
        ..usual.clone()
    };
    cx.store
        .bootstrap_run(&make("early", &usual, started()))
        .await?;
    cx.shift_clock(100).await?;
    let since = cx.now("since").await?;
    cx.store
        .bootstrap_run(&make("elsewhere", &elsewhere, started()))
        .await?;
    cx.store
        .bootstrap_run(&make("foreign", &foreign, started()))
        .await?;
    cx.store
        .bootstrap_run(&make("pending", &usual, Vec::new()))
        .await?;
    cx.store
        .bootstrap_run(&make("yes", &usual, started()))
        .await?;

    let every = RunQuery {
        project_id: Some(usual.project_id.clone()),
        environment_id: Some(usual.environment_id.clone()),
        status: Some(RunStatus::Running),
        created_since: Some(since),
        ..all_of(&run("a"))
    };
    let before = RunQuery {
        created_since: None,
        created_before: Some(since),
        ..every.clone()
    };
    let pruned = |pruned| RunQuery {
        pruned: Some(pruned),
        ..every.clone()
    };
    for (query, expected) in [
        (before, vec!["early"]),
        (pruned(false), vec!["yes"]),
        (pruned(true), vec![]),
        (every.clone(), vec!["yes"]),
        (
            RunQuery {
                project_id: None,
                ..every.clone()
            },
            vec!["foreign", "yes"],
        ),
        (
            RunQuery {
                environment_id: None,
                ..every.clone()
            },
            vec!["elsewhere", "yes"],
        ),
        (
            RunQuery {
                status: None,
                ..every.clone()
            },
            vec!["pending", "yes"],
        ),
        (
            RunQuery {
                created_since: None,
                ..every.clone()
            },
            vec!["early", "yes"],
        ),
        (
            RunQuery {
                limit: 1,
                ..every.clone()
            },
            vec!["yes"],
        ),
        (
            RunQuery {
                status: Some(RunStatus::Failed),
                ..every
            },
            vec![],
        ),
    ] {
        check_eq!(
            ids(&cx.store.list_runs(&query).await?),
            expected,
            "runs for {query:?}"
        );
    }
    Ok(())
}

/// list each tenant that has a run once, in byte order, after the one given
pub async fn tenants_are_listed_once(cx: &Cx) -> Result<(), Failure> {
    for (tenant, id) in [
        ("b", "1"),
        ("é", "1"),
        ("B", "1"),
        ("b", "2"),
        ("a", "1"),
        ("a", "2"),
    ] {
        cx.bootstrap(&run_of(tenant, id), Vec::new()).await?;
    }

    let list = async |after: Option<&str>, limit: u32| -> Result<Vec<String>, Failure> {
        let after = after.map(|tenant| run_of(tenant, "1").tenant_id);
        let found = cx.store.list_tenants(after.as_ref(), limit).await?;
        Ok(found.iter().map(TenantId::to_string).collect())
    };
    check_eq!(list(None, 9).await?, ["B", "a", "b", "é"], "all tenants");
    check_eq!(list(None, 2).await?, ["B", "a"], "first page");
    check_eq!(list(Some("a"), 2).await?, ["b", "é"], "second page");
    check_eq!(
        list(Some("é"), 2).await?,
        Vec::<String>::new(),
        "page after the last"
    );
    check_eq!(list(None, 0).await?, Vec::<String>::new(), "page of none");
    Ok(())
}
