use std::sync::Arc;
use std::time::Instant;

use dvt_relay::{Relay, RelayMode, RelaySettings};

use super::{Drained, NullSink};
use crate::BoxError;
use crate::ground::Ground;

/// Runs one relay until nothing waits, and prints how it went.
pub(crate) async fn drain(url: &str, schema: &str) -> Result<(), BoxError> {
    let ground = Ground::of(url, schema)?;
    let store = Arc::new(ground.store(4).await?);
    let sink = Arc::new(NullSink::default());
    let settings = RelaySettings::new("null:".parse()?);
    let relay = Relay::new(store, Arc::clone(&sink) as _, settings)?;
    let begun = Instant::now();
    relay
        .run(RelayMode::UntilEmpty, std::future::pending())
        .await?;
    let drained = Drained {
        events: sink.events(),
        seconds: begun.elapsed().as_secs_f64(),
        peak_rss_mib: peak_rss_mib()?,
    };
    if sink.out_of_order() > 0 {
        return Err(format!("{} events came out of order", sink.out_of_order()).into());
    }
    println!("{}", serde_json::to_string(&drained)?);
    Ok(())
}

/// The most memory that this process has had.
fn peak_rss_mib() -> Result<f64, BoxError> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB"));
    let kib: f64 = kib.ok_or("/proc/self/status has no VmHWM")?.parse()?;
    Ok(kib / 1_024.0)
}
