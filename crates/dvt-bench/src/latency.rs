//! How long an event takes from its append to the sink, when nothing else goes on.

use std::sync::Arc;
use std::time::Instant;

use async_trait::async_trait;
use dvt_contracts::{AppendRequest, EventSink, Published, RunEvent, RunKey, RunStateStoreExt as _};
use dvt_relay::{Relay, RelayMode, RelaySettings};
use hdrhistogram::Histogram;
use tokio::sync::{mpsc, oneshot};

use crate::BoxError;
use crate::event::{Events, run};
use crate::ground::Ground;
use crate::report::{Bar, Report};

/// Tells of each event when it comes.
#[derive(Debug)]
struct Watch(mpsc::UnboundedSender<(u64, Instant)>);

#[async_trait]
impl EventSink for Watch {
    async fn publish(&self, _run: &RunKey, _claim_no: u64, events: &[RunEvent]) -> Published {
        for event in events {
            // Nobody listens any more at the end.
            let _ = self.0.send((event.run_seq, Instant::now()));
        }
        Published {
            stored: events.len(),
            stop: None,
        }
    }
}

/// Measures it: a store and a relay in one process, the relay woken after each append.
pub(crate) async fn measure(
    ground: &Ground,
    quick: bool,
    report: &mut Report,
) -> Result<(), BoxError> {
    ground.empty().await?;
    let (store, events) = (ground.store(4).await?, Events::new()?);
    let run = run("one")?;
    ground.bootstrap(&store, &run).await?;
    let (told, mut seen) = mpsc::unbounded_channel();
    let settings = RelaySettings::new("watch:".parse()?);
    let relay = Relay::new(Arc::new(store.clone()), Arc::new(Watch(told)), settings)?;
    let waker = relay.waker();
    let (stop, stopped) = oneshot::channel::<()>();
    let relay = tokio::spawn(async move {
        let stopped = async move {
            let _ = stopped.await;
        };
        relay.run(RelayMode::Forever, stopped).await
    });
    let mut micros = Histogram::<u64>::new(3)?;
    let (warm_up, count) = if quick { (5, 20) } else { (200, 2_000) };
    for number in 0..warm_up + count {
        let request = AppendRequest::new(run.clone(), vec![events.event(number)?]);
        let begun = Instant::now();
        store.append_and_enqueue(request).await?;
        waker.wake();
        let (run_seq, arrived) = seen.recv().await.ok_or("the relay ended")?;
        if run_seq != number + 1 {
            return Err(format!("event {run_seq} came, {} was appended", number + 1).into());
        }
        if number >= warm_up {
            micros.record(u64::try_from((arrived - begun).as_micros())?)?;
        }
    }
    let _ = stop.send(());
    relay.await??;
    let millis = |quantile| micros.value_at_quantile(quantile) as f64 / 1_000.0;
    report.absolute("append_to_sink_p50_ms", Bar::AtMost(3.0), millis(0.5));
    report.absolute("append_to_sink_p99_ms", Bar::AtMost(15.0), millis(0.99));
    report.latency("append to sink", micros);
    Ok(())
}
