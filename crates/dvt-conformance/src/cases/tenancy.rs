//! What tenants see of each other: nothing.

use dvt_contracts::RunQuery;

use crate::cases::reading::expect_not_found;
use crate::cx::Cx;
use crate::failure::{Failure, check_eq};
use crate::fixture::{note, notes, payload, run_of};

/// answer for another tenant's run exactly as for a run that is not there
///
/// CASES: L 101.
pub async fn anothers_run_is_not_found(cx: &Cx) -> Result<(), Failure> {
    let theirs = run_of("them", "a");
    cx.bootstrap(&theirs, notes(1, 2)).await?;
    cx.bootstrap(&run_of("us", "b"), notes(1, 2)).await?;

    expect_not_found(cx, &run_of("us", "a")).await?;

    check_eq!(cx.head(&theirs).await?, 2, "head of their run");
    Ok(())
}

/// let two tenants use the same run id with the same keys
///
/// CASES: A 6, L 102.
pub async fn same_run_id_in_two_tenants_is_two_runs(cx: &Cx) -> Result<(), Failure> {
    let (ours, theirs) = (run_of("us", "a"), run_of("them", "a"));
    cx.bootstrap(&ours, notes(1, 2)).await?;

    cx.bootstrap(
        &theirs,
        vec![note("k1").with_payload(payload("\"theirs\""))],
    )
    .await?;

    let payloads = |log: &[dvt_contracts::RunEvent]| -> Vec<String> {
        log.iter()
            .map(|event| event.event.payload().to_string())
            .collect()
    };
    let claimed = cx.claim().await?;
    let mut runs: Vec<_> = claimed
        .iter()
        .map(|c| (c.lease.run.clone(), c.events.len()))
        .collect();
    runs.sort_unstable();
    check_eq!(
        payloads(&cx.log(&theirs).await?),
        ["\"theirs\""],
        "their log"
    );
    check_eq!(
        payloads(&cx.log(&ours).await?),
        [r#"{"note": "k1"}"#, r#"{"note": "k2"}"#],
        "our log"
    );
    check_eq!(runs, [(theirs, 1), (ours, 2)], "claimed runs");
    Ok(())
}

/// list the tenant's own runs only
///
/// CASES: L 101.
pub async fn listing_shows_own_runs_only(cx: &Cx) -> Result<(), Failure> {
    for (tenant, id) in [
        ("u", "1"),
        ("us", "2"),
        ("us", "3"),
        ("us2", "0"),
        ("them", "4"),
    ] {
        cx.bootstrap(&run_of(tenant, id), Vec::new()).await?;
    }

    for (tenant, expected) in [
        ("us", vec!["2", "3"]),
        ("them", vec!["4"]),
        ("nobody", vec![]),
    ] {
        let query = RunQuery::new(run_of(tenant, "1").tenant_id);
        let records = cx.store.list_runs(&query).await?;
        let found: Vec<_> = records
            .iter()
            .map(|record| record.run.run_id.as_str())
            .collect();
        check_eq!(found, expected, "runs of {tenant}");
    }
    Ok(())
}
