//! What grows with the data: the same work beside ten and a hundred times as much, and in a run of a million events.

use dvt_contracts::RunStateStore as _;

use crate::BoxError;
use crate::append::one_by_one;
use crate::claims::Load;
use crate::event::{Events, run};
use crate::fill::{Runs, State};
use crate::ground::{Ground, Table};
use crate::report::{Bar, Ratio, Report};
use crate::rounds::{Duel, Scale, duel, median, rate};

/// Measures all of it.
pub(crate) async fn measure(
    ground: &Ground,
    scale: Scale,
    report: &mut Report,
) -> Result<(), BoxError> {
    sizes(ground, scale, report).await?;
    long_run(ground, scale, report).await
}

/// Rates beside so much data.
#[derive(Debug, Clone, Copy)]
struct Rates {
    append: f64,
    claim: f64,
    read: f64,
}

/// What is compared with the smallest size.
type Figure = (&'static str, &'static str, fn(&Rates) -> f64);

async fn sizes(ground: &Ground, scale: Scale, report: &mut Report) -> Result<(), BoxError> {
    let unit = if scale.is_quick() { 10 } else { 100 };
    let mut rates = Vec::new();
    for runs in [unit, 10 * unit, 100 * unit] {
        rates.push(beside(ground, scale, runs).await?);
        eprintln!("beside {runs} runs of 100 events: {:?}", rates.last());
    }
    let [one, ten, hundred] = rates[..] else {
        return Err("three sizes were to be measured".into());
    };
    let figures: [(Rates, [Figure; 3]); 2] = [
        (
            ten,
            [
                (
                    "growth_append_10x",
                    "append, 10× the data vs 1×",
                    |rates| rates.append,
                ),
                (
                    "growth_claim_10x",
                    "claim and acknowledge, 10× vs 1×",
                    |rates| rates.claim,
                ),
                ("growth_read_10x", "page of a log, 10× vs 1×", |rates| {
                    rates.read
                }),
            ],
        ),
        (
            hundred,
            [
                (
                    "growth_append_100x",
                    "append, 100× the data vs 1×",
                    |rates| rates.append,
                ),
                (
                    "growth_claim_100x",
                    "claim and acknowledge, 100× vs 1×",
                    |rates| rates.claim,
                ),
                ("growth_read_100x", "page of a log, 100× vs 1×", |rates| {
                    rates.read
                }),
            ],
        ),
    ];
    for (large, figures) in figures {
        for (key, what, rate_of) in figures {
            let (baseline, ours) = (rate_of(&one), rate_of(&large));
            report.ratio(Ratio {
                group: "growth",
                key,
                what,
                bar: Bar::None,
                duel: Duel {
                    baseline,
                    ours,
                    ratio: ours / baseline,
                },
            });
        }
    }
    Ok(())
}

/// The medians of some rounds beside that many delivered runs of a hundred events.
async fn beside(ground: &Ground, scale: Scale, runs: u64) -> Result<Rates, BoxError> {
    ground.empty().await?;
    let old = Runs {
        prefix: "old",
        runs,
        events_each: 100,
        state: State::Delivered,
    };
    old.write(ground).await?;
    ground.settle().await?;
    let (store, events) = (ground.store(1).await?, Events::new()?);
    let mut load = Load::new(ground, 200).await?;
    let (mut append, mut claim, mut read) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..=scale.rounds {
        let fresh = run(&format!("fresh-{round}"))?;
        ground.bootstrap(&store, &fresh).await?;
        let appended = one_by_one(&store, &events, &fresh, 0..scale.events);
        append.push(rate(scale.events, appended).await?);
        // They are not what the next measurement is to claim.
        ground
            .execute(
                "UPDATE outbox SET delivered_seq = last_seq, due_at = NULL WHERE due_at IS NOT NULL",
            )
            .await?;
        claim.push(load.rate(scale.events / 4).await?);
        let pages = async {
            for page in 0..scale.events {
                // Far apart from one another, in an order that is the same each time.
                let old = run(&format!("old-{}", 1 + page * 7_919 % runs))?;
                let found = store.list_events(&old, 0, 100).await?.events.len();
                if found != 100 {
                    return Err(format!("{old}: {found} events").into());
                }
            }
            Ok(())
        };
        read.push(rate(scale.events, pages).await?);
    }
    let of = |rates: Vec<f64>| median(rates[1..].to_vec());
    Ok(Rates {
        append: of(append),
        claim: of(claim),
        read: of(read),
    })
}

async fn long_run(ground: &Ground, scale: Scale, report: &mut Report) -> Result<(), BoxError> {
    ground.empty().await?;
    let length = if scale.is_quick() { 10_000 } else { 1_000_000 };
    let long = Runs {
        prefix: "long",
        runs: 1,
        events_each: length,
        state: State::Delivered,
    };
    long.write(ground).await?;
    ground.settle().await?;
    let (store, events) = (ground.store(1).await?, Events::new()?);
    let long = run("long-1")?;
    let mut next = length + 1;
    let duel = duel(
        scale,
        async |round| {
            let fresh = run(&format!("fresh-{round}"))?;
            ground.bootstrap(&store, &fresh).await?;
            let appended = one_by_one(&store, &events, &fresh, 0..scale.events);
            rate(scale.events, appended).await
        },
        async |_| {
            let numbers = next..next + scale.events;
            next = numbers.end;
            rate(scale.events, one_by_one(&store, &events, &long, numbers)).await
        },
    )
    .await?;
    let appended = 2 * scale.events * (scale.rounds as u64 + 1);
    ground.expect(Table::Ours, length + appended).await?;
    report.ratio(Ratio {
        group: "append",
        key: "append_long_run_vs_fresh",
        what: "append to a run with 1,000,000 events vs a fresh run, events/s",
        bar: Bar::AtLeast(0.9),
        duel,
    });
    Ok(())
}
