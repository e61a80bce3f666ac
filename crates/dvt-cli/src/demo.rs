use std::io::Write as _;
use std::sync::Arc;

use dvt_adapter_memory::{ManualClock, MemoryStore};
use dvt_contracts::{EnvironmentId, InvalidIdentifier, TenantId, Timestamp};

use crate::args::DemoArgs;
use crate::console::{Console, Page, Tint};
use crate::failure::{Exit, Failure};
use crate::reader::{DbtOptions, DbtReader};
use crate::record::{Input, Tally, record};
use crate::{drain, show, text};

/// The complete log of one `dbt build`, as dbt wrote it; `demo/README.md` tells how it was made.
static LOG: &[u8] = include_bytes!("../demo/dbt-build.jsonl");

/// The demo's store stands on this moment: what the demo prints is the same every time.
const RECORDED_AT: &str = "2026-12-01T00:00:00Z";

/// Runs the command. Its store is its own: neither `DVT_STORE` nor `DATABASE_URL` matters.
pub(crate) async fn command(args: &DemoArgs, console: &mut Console) -> Result<Exit, Failure> {
    let recorded_at = RECORDED_AT.parse().unwrap_or(Timestamp::MIN);
    let store = MemoryStore::with_clock(ManualClock::at(recorded_at));
    let mut reader = DbtReader::new(options().map_err(|error| Failure::Usage(error.to_string()))?);
    let input = Input {
        name: "the bundled log".into(),
        size: None,
        stream: LOG,
    };
    let mut tally = Tally::default();
    record(input, &mut reader, &store, &mut console.err, &mut tally).await?;
    if args.json {
        drain::to_ndjson(Arc::new(store), console).await?;
        return Ok(Exit::Done);
    }
    let page = &mut console.out;
    heading(page, "a dbt build, recorded")?;
    let lines = text::counted(tally.lines, "line");
    let events = text::counted(tally.appended, "event");
    writeln!(
        page,
        "{lines} of dbt's own log became {events} of a run. This is the run:\n"
    )?;
    for run in tally.runs.recent() {
        show::run(&store, run, show::Detail::Brief, page).await?;
    }
    heading(page, "its events, delivered in order")?;
    let width = page.width;
    let summary = drain::rendered(Arc::new(store), console, move |lines, _, _, event| {
        let step = event.event.step_id().map_or("", |step| step.as_str());
        let kind = event.event.event_type();
        let line = format!("→ {:>3} {kind:<13} {step}", event.run_seq);
        // Memory takes everything.
        let _ = writeln!(lines, "{}", text::shortened(line.trim_end(), width));
    })
    .await?;
    let page = &mut console.out;
    let delivered = text::counted(summary.delivered(), "event");
    writeln!(
        page,
        "{delivered} delivered and acknowledged: nothing is pending\n"
    )?;
    heading(page, "try next")?;
    next(page)?;
    Ok(Exit::Done)
}

fn options() -> Result<DbtOptions, InvalidIdentifier> {
    Ok(DbtOptions {
        tenant_id: TenantId::new("demo")?,
        environment_id: EnvironmentId::new("demo")?,
    })
}

fn heading(page: &mut Page, title: &str) -> std::io::Result<()> {
    let title = page.paint.paint(Tint::Bold, format_args!("== {title} =="));
    writeln!(page, "{title}")
}

/// Three commands that work wherever this one did, and the one that all this is for.
fn next(page: &mut Page) -> std::io::Result<()> {
    let dvt = program();
    let event = r#"{"tenant_id":"me","project_id":"p","environment_id":"dev","run_id":"run-1","plan_id":"plan","plan_version":"1","event_type":"RunStarted","emitted_at":"2026-01-02T03:04:05Z"}"#;
    writeln!(page, "record an event of your own, and see it delivered:")?;
    // The demo needs nothing and leaves nothing: nor does this, whatever store the environment names.
    writeln!(
        page,
        "  echo '{event}' | {dvt} record - --drain --store memory:"
    )?;
    writeln!(
        page,
        "derive the idempotency key that made it safe to record it twice:"
    )?;
    writeln!(
        page,
        "  {dvt} key --run-id run-1 --plan-id plan --plan-version 1 --event-type RunStarted"
    )?;
    writeln!(page, "this demo's events as a consumer gets them:")?;
    writeln!(page, "  {dvt} demo --json")?;
    writeln!(page, "and in a dbt project of yours:")?;
    writeln!(
        page,
        "  dbt build --log-format json --log-level debug | {dvt} record - --format dbt --show"
    )
}

/// How this program was called, so that the commands work as they are printed, installed or not.
fn program() -> String {
    let called = std::env::args().next().unwrap_or_default();
    match called.contains('/') {
        true => text::shell_word(&called).into_owned(),
        false => "dvt".to_owned(),
    }
}
