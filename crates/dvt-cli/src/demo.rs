use std::io::Write as _;
use std::sync::Arc;

use dvt_adapter_memory::{ManualClock, MemoryStore};
use dvt_contracts::{EnvironmentId, InvalidIdentifier, RunKey, Store, TenantId, Timestamp};

use crate::args::DemoArgs;
use crate::console::{Console, Page, Tint};
use crate::failure::{Exit, Failure};
use crate::reader::{DbtReader, Ownership};
use crate::record::{Input, Patience, Tally, layered, record};
use crate::{drain, show, store, text};

/// The complete log of one `dbt build`, as dbt wrote it; `demo/README.md` tells how it was made.
static LOG: &[u8] = include_bytes!("../demo/dbt-build.jsonl");

/// With `--json` the demo's store is in memory and stands on this moment: what it prints is the same every time.
const RECORDED_AT: &str = "2026-12-01T00:00:00Z";

/// Runs the command. Its store is the file in the current folder: neither `DVT_STORE` nor `DATABASE_URL` matters.
pub(crate) async fn command(args: &DemoArgs, console: &mut Console) -> Result<Exit, Failure> {
    if args.json {
        let recorded_at = RECORDED_AT.parse().unwrap_or(Timestamp::MIN);
        let store: Arc<dyn Store> = Arc::new(MemoryStore::with_clock(ManualClock::at(recorded_at)));
        record_log(&store, &mut console.err).await?;
        drain::to_ndjson(store, console).await?;
        return Ok(Exit::Done);
    }
    let (store, was_there) = store::open_default().await?;
    let tally = record_log(&store, &mut console.err).await?;
    let page = &mut console.out;
    heading(page, "a dbt build, recorded")?;
    let lines = text::counted(tally.lines, "line");
    let events = text::counted(tally.appended + tally.duplicates, "event");
    let news = match tally.appended {
        0 => {
            "It was there already, so nothing was appended: every event is known by its idempotency key."
        }
        _ => "It is in dvt.db in this folder, and stays there.",
    };
    writeln!(
        page,
        "{lines} of dbt's own log are {events} of a run.\n{news}\n"
    )?;
    for run in tally.runs.recent() {
        show::run(&store, run, show::Detail::Brief, page).await?;
    }
    // What others put there is not the demo's to deliver.
    if !was_there {
        deliver(store, console).await?;
    }
    let page = &mut console.out;
    heading(page, "try next")?;
    let run = tally.runs.recent().next();
    next(page, run)?;
    Ok(Exit::Done)
}

/// As `dvt record --strict` does: dbt's own log has nothing in it that the rules do not allow.
async fn record_log(store: &Arc<dyn Store>, err: &mut Page) -> Result<Tally, Failure> {
    let mut reader = DbtReader::new(options().map_err(|error| Failure::Usage(error.to_string()))?);
    let input = Input {
        name: "the bundled log".into(),
        size: None,
        stream: LOG,
    };
    let mut tally = Tally::default();
    let store = layered(Arc::clone(store), true);
    record(input, &mut reader, &*store, err, &mut tally, Patience::None).await?;
    Ok(tally)
}

async fn deliver(store: Arc<dyn Store>, console: &mut Console) -> Result<(), Failure> {
    heading(&mut console.out, "its events, delivered in order")?;
    let width = console.out.width;
    let summary = drain::rendered(store, console, move |lines, _, _, event| {
        let step = event.event.step_id().map_or("", |step| step.as_str());
        let kind = event.event.event_type();
        let line = format!("→ {:>3} {kind:<13} {step}", event.run_seq);
        // Memory takes everything.
        let _ = writeln!(lines, "{}", text::shortened(line.trim_end(), width));
    })
    .await?;
    let delivered = text::counted(summary.delivered(), "event");
    writeln!(
        console.out,
        "{delivered} delivered and acknowledged: nothing is pending\n"
    )?;
    Ok(())
}

fn options() -> Result<Ownership, InvalidIdentifier> {
    Ok(Ownership {
        tenant_id: TenantId::new("demo")?,
        environment_id: EnvironmentId::new("demo")?,
    })
}

fn heading(page: &mut Page, title: &str) -> std::io::Result<()> {
    let title = page.paint.paint(Tint::Bold, format_args!("== {title} =="));
    writeln!(page, "{title}")
}

/// Commands that work wherever this one did, and the one that all this is for.
fn next(page: &mut Page, run: Option<&RunKey>) -> std::io::Result<()> {
    let dvt = program();
    // Where the environment names a store, the commands would look there.
    let named = ["DVT_STORE", "DATABASE_URL"].map(store::variable);
    let store = match named.into_iter().flatten().any(|value| !value.is_empty()) {
        true => " --store sqlite:dvt.db",
        false => "",
    };
    let event = r#"{"tenant_id":"me","project_id":"p","environment_id":"dev","run_id":"run-1","plan_id":"plan","plan_version":"1","event_type":"RunStarted","emitted_at":"2026-01-02T03:04:05Z"}"#;
    writeln!(page, "see what is there:")?;
    writeln!(page, "  {dvt} runs{store}")?;
    if let Some(run) = run {
        let run_id = text::shell_word(run.run_id.as_str());
        let tenant_id = text::shell_word(run.tenant_id.as_str());
        writeln!(page, "  {dvt} show {run_id} --tenant {tenant_id}{store}")?;
    }
    writeln!(page, "record an event of your own:")?;
    writeln!(page, "  echo '{event}' | {dvt} record -{store}")?;
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
