//! A consumer that is right however often events come: it counts what happened, by event type.
//!
//! It reads CloudEvents in structured mode, one per line, and keeps its state in a file. Kill it at any moment, feed it the same
//! lines again: the counts stay right, because positions and counts are replaced in one step.
//!
//! ```sh
//! nats stream view DVT --raw | cargo run -p dvt-cloudevents --example consumer -- counts.json
//! ```

use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::io::{self, BufRead as _};
use std::path::{Path, PathBuf};

use dvt_cloudevents::{Inbox, Position, Received, Verdict};
use dvt_contracts::RunKey;
use serde::{Deserialize, Serialize};

/// What is kept: the effect of the events, and beside it how far each run is.
#[derive(Debug, Default, Serialize, Deserialize)]
struct State {
    counts: BTreeMap<String, u64>,
    /// Tenant, run, `run_seq`, `claim_no`.
    positions: Vec<(String, String, u64, u64)>,
}

fn main() -> Result<(), Box<dyn Error>> {
    let file: PathBuf = std::env::args_os()
        .nth(1)
        .ok_or("usage: consumer STATE-FILE < events")?
        .into();
    let mut counts = BTreeMap::new();
    let mut inbox = Inbox::default();
    let mut runs: Vec<RunKey> = Vec::new();
    if let Ok(text) = fs::read_to_string(&file) {
        let state: State = serde_json::from_str(&text)?;
        counts = state.counts;
        for (tenant, run, run_seq, claim_no) in state.positions {
            let run = RunKey::new(tenant.parse()?, run.parse()?);
            inbox.resume(run.clone(), Position { run_seq, claim_no });
            runs.push(run);
        }
    }
    for line in io::stdin().lock().lines() {
        let event = Received::from_json(line?.as_bytes())?;
        match inbox.receive(&event) {
            Verdict::Next => {}
            Verdict::Gap { first_missing } => {
                eprintln!("{}: events from {first_missing} on were skipped", event.run);
            }
            // Confirmed without doing anything: it was done before, or its relay has lost the run.
            Verdict::Duplicate | Verdict::Stale { .. } => continue,
        }
        *counts
            .entry(event.event_type.as_str().to_owned())
            .or_default() += 1;
        if !runs.contains(&event.run) {
            runs.push(event.run);
        }
    }
    let position = |run: &RunKey| {
        let Position { run_seq, claim_no } = inbox.position(run);
        let (tenant, run) = (run.tenant_id.to_string(), run.run_id.to_string());
        (tenant, run, run_seq, claim_no)
    };
    let positions = runs.iter().map(position).collect();
    replace(&file, &State { counts, positions })?;
    Ok(())
}

/// Old or new, never half: only after this may the events be confirmed to the bus.
fn replace(file: &Path, state: &State) -> io::Result<()> {
    let new = file.with_extension("new");
    let written = fs::File::create(&new)?;
    serde_json::to_writer_pretty(&written, state)?;
    written.sync_all()?;
    fs::rename(new, file)
}
