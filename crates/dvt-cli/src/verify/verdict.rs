use std::io::Write as _;

use serde::Serialize;

use super::violation::Violation;
use crate::console::{Page, Tint};
use crate::failure::{Exit, Failure};
use crate::text;

/// How many violations are kept; all are counted.
const KEPT: usize = 1_000;

/// What a verification found.
#[derive(Debug, Default)]
pub(super) struct Verdict {
    runs: u64,
    events: u64,
    total: u64,
    violations: Vec<Violation>,
}

#[derive(Debug, Serialize)]
struct VerdictObject<'a> {
    sound: bool,
    runs: u64,
    events: u64,
    violations_total: u64,
    violations: Vec<ViolationObject<'a>>,
}

#[derive(Debug, Serialize)]
struct ViolationObject<'a> {
    tenant_id: Option<&'a str>,
    run_id: Option<&'a str>,
    rule: &'static str,
    found: &'a str,
}

impl Verdict {
    pub(super) fn note(&mut self, violation: Violation) {
        self.total += 1;
        if self.violations.len() < KEPT {
            self.violations.push(violation);
        }
    }

    /// A run was checked.
    pub(super) fn checked(&mut self, events: u64, violations: Vec<Violation>) {
        self.runs += 1;
        self.events += events;
        violations
            .into_iter()
            .for_each(|violation| self.note(violation));
    }

    pub(super) fn tell(&self, json: bool, out: &mut Page) -> Result<Exit, Failure> {
        if json {
            out.write_json(&self.object())?;
        } else {
            self.write(out)?;
        }
        out.flush()?;
        Ok(match self.total {
            0 => Exit::Done,
            _ => Exit::Problems,
        })
    }

    fn write(&self, out: &mut Page) -> Result<(), Failure> {
        let between = if out.is_terminal { "  " } else { "\t" };
        for Violation { run, rule, found } in &self.violations {
            let run = run.as_ref().map_or("-".to_owned(), ToString::to_string);
            let rule = out.paint.paint(Tint::Red, rule.as_str());
            let found = text::one_line(found);
            writeln!(out, "{run}{between}{rule}{between}{found}")?;
        }
        let left_out = self.total - self.violations.len() as u64;
        if left_out > 0 {
            writeln!(out, "and {} more", text::counted(left_out, "violation"))?;
        }
        let verdict = match self.total {
            0 => out.paint.paint(Tint::Green, "sound"),
            total => out
                .paint
                .paint(Tint::Red, text::counted(total, "violation")),
        };
        let (runs, events) = (
            text::counted(self.runs, "run"),
            text::counted(self.events, "event"),
        );
        writeln!(out, "{runs} with {events}: {verdict}")?;
        Ok(())
    }

    fn object(&self) -> VerdictObject<'_> {
        let violations = self.violations.iter().map(|violation| ViolationObject {
            tenant_id: violation.run.as_ref().map(|run| run.tenant_id.as_str()),
            run_id: violation.run.as_ref().map(|run| run.run_id.as_str()),
            rule: violation.rule.as_str(),
            found: &violation.found,
        });
        VerdictObject {
            sound: self.total == 0,
            runs: self.runs,
            events: self.events,
            violations_total: self.total,
            violations: violations.collect(),
        }
    }
}
