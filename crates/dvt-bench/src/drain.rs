//! A million events that wait, and one relay: its cursor for each run against a row for each event.

use std::process::Stdio;

use dvt_contracts::OutboxStorage as _;
use serde::{Deserialize, Serialize};
use tokio::process::Command;

use crate::BoxError;
use crate::fill::{Runs, State};
use crate::ground::{Ground, Table};
use crate::report::{Bar, Ratio, Report};
use crate::rounds::{Duel, median};

mod child;
mod null_sink;
mod per_row;

pub(crate) use self::child::drain;
pub(crate) use self::null_sink::NullSink;

/// What the process told that drained the outbox.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Drained {
    events: u64,
    seconds: f64,
    peak_rss_mib: f64,
}

/// Measures it. Each round fills anew; the first one, with a tenth of the data, warms up.
pub(crate) async fn measure(
    ground: &Ground,
    quick: bool,
    report: &mut Report,
) -> Result<(), BoxError> {
    let (runs, rounds) = if quick { (100, 1) } else { (10_000, 3) };
    let (mut theirs, mut ours, mut ratios, mut rss) = (vec![], vec![], vec![], vec![]);
    for round in 0..=rounds {
        let waiting = Runs {
            prefix: "waiting",
            runs: if round == 0 { runs / 10 } else { runs },
            events_each: 100,
            state: State::Pending,
        };
        let events = waiting.runs * waiting.events_each;
        ground.empty().await?;
        waiting.write_rows(ground).await?;
        ground.settle().await?;
        let baseline = per_row::drain(ground, events).await?;
        ground.empty().await?;
        waiting.write(ground).await?;
        ground.settle().await?;
        let drained = by_a_relay(ground).await?;
        all_delivered(ground, events, &drained).await?;
        let rate = events as f64 / drained.seconds;
        eprintln!(
            "drain of {events}: {baseline:.0} events/s by rows, {rate:.0} events/s by a relay in {:.0} MiB",
            drained.peak_rss_mib
        );
        if round > 0 {
            theirs.push(baseline);
            ours.push(rate);
            ratios.push(rate / baseline);
            rss.push(drained.peak_rss_mib);
        }
    }
    report.absolute("drain_events_per_s", Bar::None, median(ours.clone()));
    report.absolute("relay_rss_mib", Bar::AtMost(64.0), median(rss));
    report.ratio(Ratio {
        group: "outbox",
        key: "drain_vs_per_row_outbox",
        what: "drain 1,000,000 events of 10,000 runs to a null sink, one relay vs an outbox row for each event, events/s",
        bar: Bar::AtLeast(5.0),
        duel: Duel {
            baseline: median(theirs),
            ours: median(ours),
            ratio: median(ratios),
        },
    });
    Ok(())
}

/// In a process of its own, whose memory is the relay's.
async fn by_a_relay(ground: &Ground) -> Result<Drained, BoxError> {
    let output = Command::new(std::env::current_exe()?)
        .arg("--drain")
        .arg(ground.schema())
        .env("DATABASE_URL", ground.url())
        .stderr(Stdio::inherit())
        .output()
        .await?;
    if !output.status.success() {
        return Err(format!("the relay's process ended with {}", output.status).into());
    }
    Ok(serde_json::from_slice(&output.stdout)?)
}

async fn all_delivered(ground: &Ground, events: u64, drained: &Drained) -> Result<(), BoxError> {
    ground.expect(Table::Ours, events).await?;
    let stats = ground.store(1).await?.stats().await?;
    if drained.events != events || stats.pending_events != 0 {
        return Err(format!("{events} events waited: {drained:?}, {stats:?}").into());
    }
    Ok(())
}
