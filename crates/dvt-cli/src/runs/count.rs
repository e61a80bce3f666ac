use std::io::Write as _;

use dvt_contracts::{MAX_PAGE, RunStatus};
use serde::Serialize;

use super::pages::Pages;
use crate::console::{Console, Page, Tint};
use crate::failure::Failure;
use crate::progress_line::{ProgressLine, rate};
use crate::{show, text};

/// How many runs there are of each status, in the order of a run's life.
#[derive(Debug, Default)]
struct Count([u64; RunStatus::ALL.len()]);

/// As `--json` tells it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "snake_case")]
struct CountObject {
    total: u64,
    pending: u64,
    running: u64,
    paused: u64,
    completed: u64,
    failed: u64,
    cancelled: u64,
}

/// Counts the runs of all pages, and tells.
pub(super) async fn run(
    mut pages: Pages<'_>,
    json: bool,
    console: &mut Console,
) -> Result<(), Failure> {
    let mut count = Count::default();
    let mut line = ProgressLine::new(&mut console.err);
    loop {
        let page = pages.next(u64::from(MAX_PAGE)).await?;
        if page.is_empty() {
            break;
        }
        for record in page {
            count.add(record.status);
        }
        let total = count.total();
        line.draw(|elapsed| format!("{} · {}", text::counted(total, "run"), rate(total, elapsed)));
    }
    line.clear();
    if json {
        console.out.write_json(&count.object())?;
    } else {
        count.write(&mut console.out)?;
    }
    console.out.flush()?;
    Ok(())
}

impl Count {
    fn add(&mut self, status: RunStatus) {
        for (count, known) in self.0.iter_mut().zip(RunStatus::ALL) {
            *count += u64::from(known == status);
        }
    }

    fn total(&self) -> u64 {
        self.0.iter().sum()
    }

    fn of(&self, status: RunStatus) -> u64 {
        let mut counts = self.0.iter().zip(RunStatus::ALL);
        counts
            .find(|(_, known)| *known == status)
            .map_or(0, |(count, _)| *count)
    }

    /// A line for each status that there is, and the sum.
    fn write(&self, out: &mut Page) -> Result<(), Failure> {
        for status in RunStatus::ALL {
            let count = self.of(status);
            if !out.is_terminal {
                writeln!(out, "{status}\t{count}")?;
            } else if count > 0 {
                let name = out.paint.paint(show::tint(status), format!("{status:<9}"));
                writeln!(out, "{name}  {:>12}", text::grouped(count))?;
            }
        }
        match out.is_terminal {
            false => writeln!(out, "total\t{}", self.total())?,
            true => {
                let total = format!("{:<9}  {:>12}", "total", text::grouped(self.total()));
                writeln!(out, "{}", out.paint.paint(Tint::Bold, total))?;
            }
        }
        Ok(())
    }

    fn object(&self) -> CountObject {
        CountObject {
            total: self.total(),
            pending: self.of(RunStatus::Pending),
            running: self.of(RunStatus::Running),
            paused: self.of(RunStatus::Paused),
            completed: self.of(RunStatus::Completed),
            failed: self.of(RunStatus::Failed),
            cancelled: self.of(RunStatus::Cancelled),
        }
    }
}
