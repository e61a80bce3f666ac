//! `dvt migrate`: the schema of a store on PostgreSQL.

use std::io::{self, Write as _};

use dvt_adapter_postgres::{MigrationStep, PostgresSettings, StepOutcome, dump_sql};

use crate::args::MigrateArgs;
use crate::console::{Console, Page};
use crate::failure::{Exit, Failure};
use crate::store;
use crate::text::counted;

mod report;

use self::report::{Line, Report, State};

/// Runs the command.
pub(crate) async fn command(args: &MigrateArgs, console: &mut Console) -> Result<Exit, Failure> {
    if args.dump_sql {
        let schema = store::schema(&args.store)?;
        console.out.write_all(dump_sql(&schema).as_bytes())?;
        return Ok(Exit::Done);
    }
    let settings = store::postgres(&args.store)?;
    if args.status || args.dry_run {
        look(args, &settings, console).await?;
    } else {
        migrate(args, &settings, console).await?;
    }
    Ok(Exit::Done)
}

/// Changes nothing.
async fn look(
    args: &MigrateArgs,
    settings: &PostgresSettings,
    console: &mut Console,
) -> Result<(), Failure> {
    let states = dvt_adapter_postgres::status(settings).await?;
    let state = |is_applied| match (is_applied, args.dry_run) {
        (true, true) => State::AlreadyThere,
        (true, false) => State::Applied,
        (false, true) => State::WouldBeApplied,
        (false, false) => State::Pending,
    };
    let mut report = Report::new(settings);
    for seen in &states {
        let is_applied = seen.applied_at.is_some();
        let line = Line::new(&seen.migration, state(is_applied));
        report.lines.push(match seen.applied_at {
            Some(at) if args.status => line.at(at),
            _ => line,
        });
    }
    if args.json {
        return Ok(console.out.write_json(&report)?);
    }
    for line in &report.lines {
        writeln!(console.out, "{line}")?;
    }
    console.out.flush()?;
    let pending = states
        .iter()
        .filter(|seen| seen.applied_at.is_none())
        .count();
    summarise(
        settings,
        &format!("{} pending", counted(pending as u64, "migration")),
        &mut console.err,
    )?;
    Ok(())
}

async fn migrate(
    args: &MigrateArgs,
    settings: &PostgresSettings,
    console: &mut Console,
) -> Result<(), Failure> {
    let mut report = Report::new(settings);
    // A reader that goes away is no reason to stop half-way; it is told at the end.
    let mut written = Ok(());
    let out = &mut console.out;
    let mut tell = |step: &MigrationStep| {
        let state = match step.outcome {
            StepOutcome::Applied { .. } => State::Applied,
            StepOutcome::AlreadyThere => State::AlreadyThere,
        };
        let line = Line::new(&step.migration, state);
        if !args.json && written.is_ok() {
            written = told_now(out, &line);
        }
        report.lines.push(line);
    };
    let migrated = dvt_adapter_postgres::migrate(settings, &mut tell).await;
    // What was applied before a failure is there, so it is told.
    if args.json {
        report.complete = migrated.is_ok();
        written = out.write_json(&report);
    }
    let applied = migrated?.applied();
    written?;
    if !args.json {
        let applied = counted(applied as u64, "migration");
        summarise(settings, &format!("{applied} applied"), &mut console.err)?;
    }
    Ok(())
}

/// Whoever watches, or a process that waits for it, sees it when it has happened.
fn told_now(out: &mut Page, line: &Line) -> io::Result<()> {
    writeln!(out, "{line}")?;
    out.flush()
}

/// For somebody who looks; for a program the lines are all.
fn summarise(settings: &PostgresSettings, what: &str, err: &mut Page) -> io::Result<()> {
    if err.is_terminal {
        writeln!(err, "{settings}: {what}")?;
    }
    Ok(())
}
