//! `dvt doctor`: what a database is like as the place of a store.

use std::io::Write as _;

use dvt_adapter_postgres::{Doctor, Finding, Severity};
use serde::Serialize;

use crate::args::DoctorArgs;
use crate::console::{Console, Page, Tint};
use crate::failure::{Exit, Failure};
use crate::{store, text};

/// Runs the command.
pub(crate) async fn command(args: &DoctorArgs, console: &mut Console) -> Result<Exit, Failure> {
    let settings = store::postgres(&args.store)?;
    let name = settings.to_string();
    let doctor = Doctor::new(settings).with_long_transaction(args.long_transaction.into());
    let examined = doctor.examine().await;
    let findings = examined.map_err(|error| Failure::open(name.clone(), &error))?;
    tell(&name, &findings, args.json, &mut console.out)
}

#[derive(Debug, Serialize)]
struct Report<'a> {
    store: &'a str,
    healthy: bool,
    findings: Vec<FindingObject<'a>>,
}

#[derive(Debug, Serialize)]
struct FindingObject<'a> {
    severity: &'static str,
    check: &'static str,
    found: &'a str,
    remedy: Option<&'a str>,
}

fn tell(name: &str, findings: &[Finding], json: bool, out: &mut Page) -> Result<Exit, Failure> {
    let count = |severity| {
        let found = findings.iter().filter(|found| found.severity == severity);
        found.count() as u64
    };
    let (faults, warnings) = (count(Severity::Fault), count(Severity::Warning));
    let healthy = faults + warnings == 0;
    if json {
        let findings = findings.iter().map(|finding| FindingObject {
            severity: finding.severity.as_str(),
            check: finding.check.as_str(),
            found: &finding.found,
            remedy: finding.remedy.as_deref(),
        });
        out.write_json(&Report {
            store: name,
            healthy,
            findings: findings.collect(),
        })?;
    } else {
        for finding in findings {
            write(finding, out)?;
        }
        if out.is_terminal {
            let told = match healthy {
                true => out.paint.paint(Tint::Green, "healthy"),
                false => format!(
                    "{}, {}",
                    text::counted(faults, "fault"),
                    text::counted(warnings, "warning")
                ),
            };
            writeln!(out, "{}: {told}", text::one_line(name))?;
        }
    }
    out.flush()?;
    Ok(match healthy {
        true => Exit::Done,
        false => Exit::Problems,
    })
}

/// Names in a database may hold anything.
fn write(finding: &Finding, out: &mut Page) -> Result<(), Failure> {
    let Finding {
        check,
        severity,
        found,
        remedy,
    } = finding;
    let (found, remedy) = (text::one_line(found), remedy.as_deref().map(text::one_line));
    if !out.is_terminal {
        let remedy = remedy.as_deref().unwrap_or_default();
        writeln!(out, "{severity}\t{check}\t{found}\t{remedy}")?;
        return Ok(());
    }
    let tint = match severity {
        Severity::Good => Tint::Green,
        Severity::Note => Tint::Cyan,
        Severity::Warning => Tint::Yellow,
        Severity::Fault => Tint::Red,
    };
    let severity = out.paint.paint(tint, format!("{severity:<7}"));
    writeln!(out, "{severity}  {check:<12}  {found}")?;
    if let Some(remedy) = remedy {
        writeln!(out, "{:23}→ {remedy}", "")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use dvt_adapter_postgres::Check;

    use super::*;

    fn finding(severity: Severity, found: &str, remedy: Option<&str>) -> Finding {
        Finding {
            check: Check::Indexes,
            severity,
            found: found.into(),
            remedy: remedy.map(str::to_owned),
        }
    }

    fn told(findings: &[Finding], json: bool, is_terminal: bool) -> (Exit, String) {
        let (mut page, written) = Page::kept(is_terminal, 100);
        let exit = tell("dvt@db", findings, json, &mut page).unwrap();
        (exit, written.text())
    }

    #[test]
    fn a_note_is_no_problem() {
        let findings = [
            finding(Severity::Good, "all there", None),
            finding(Severity::Note, "a superuser", None),
        ];
        assert_eq!(
            told(&findings, false, false),
            (
                Exit::Done,
                "good\tindexes\tall there\t\nnote\tindexes\ta superuser\t\n".to_owned()
            )
        );
        assert!(
            told(&findings, false, true)
                .1
                .ends_with("dvt@db: healthy\n"),
            "{:?}",
            told(&findings, false, true)
        );
    }

    #[test]
    fn a_problem_is_told_with_its_remedy() {
        let findings = [
            finding(
                Severity::Warning,
                "one is\tbroken\u{1b}[2J",
                Some("mend it"),
            ),
            finding(Severity::Fault, "one is missing", Some("make it")),
        ];
        assert_eq!(
            told(&findings, false, true),
            (
                Exit::Problems,
                "warning  indexes       one is broken\u{fffd}[2J\n                       → mend it\n\
                 fault    indexes       one is missing\n                       → make it\n\
                 dvt@db: 1 fault, 1 warning\n"
                    .to_owned()
            )
        );
        assert_eq!(
            told(&findings[1..], true, false),
            (
                Exit::Problems,
                "{\"store\":\"dvt@db\",\"healthy\":false,\"findings\":[{\"severity\":\"fault\",\"check\":\"indexes\",\
                 \"found\":\"one is missing\",\"remedy\":\"make it\"}]}\n"
                    .to_owned()
            )
        );
    }
}
