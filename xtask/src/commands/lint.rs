//! `cargo xtask lint`: all checks, whatever the others say, and nothing written.

use std::path::Path;
use std::time::Instant;

use super::Outcome;
use crate::conformance;
use crate::finding::Finding;
use crate::packages;
use crate::reference;
use crate::sqlx_data;
use crate::step::{Step, seconds};
use crate::tidy;
use crate::workspace::Workspace;

/// How a check ended.
#[derive(Debug)]
enum Verdict {
    Ok,
    Failed,
    /// It could not be run, for this reason.
    NotRun(String),
}

/// The results so far: each check's name and how it ended.
#[derive(Debug, Default)]
struct Report(Vec<(String, Verdict)>);

/// Runs all checks and ends with a table of them.
pub(crate) fn run(workspace: &Workspace) -> Outcome {
    let started = Instant::now();
    let mut report = Report::default();
    ours(workspace, &mut report);
    report.texts("packages", "", &packages::check(workspace));
    report.sqlx_data(workspace);
    let heading = "`cargo xtask fix` writes it";
    report.texts("command reference", heading, &reference::check(workspace));
    match workspace.examples() {
        Ok(examples) => examples
            .iter()
            .for_each(|dir| example(workspace, dir, &mut report)),
        Err(finding) => report.texts("examples", "", &[finding]),
    }
    for check in conformance::checks() {
        report.texts(check.name, check.heading, &(check.run)(workspace.root()));
    }
    for check in tidy::checks() {
        report.texts(check.name, check.heading, &(check.run)(workspace.root()));
    }
    print!("\n{}", report.table());
    let time = seconds(started.elapsed());
    match (report.failures(), report.0.len()) {
        (0, all) => {
            let not_run = report.not_run();
            let left_out = if not_run == 0 {
                String::new()
            } else {
                format!(", {not_run} not run")
            };
            println!(
                "✓ lint: {} checks passed{left_out} in {time}",
                all - not_run
            );
            Outcome::Ok
        }
        (failed, all) => {
            println!(
                "✗ lint: {failed} of {all} checks failed in {time}; `cargo xtask fix` mends some kinds"
            );
            Outcome::Failed
        }
    }
}

/// The checks of the workspace by cargo: all with `--locked`, since lint writes nothing.
fn ours(workspace: &Workspace, report: &mut Report) {
    report.step("lock file", &lock_check(), workspace);
    report.step("format", &Step::cargo("fmt --all --check"), workspace);
    let clippy = Step::cargo("clippy --workspace --all-targets --features xtask/database")
        .locked()
        .rest("-D warnings");
    report.step("clippy", &clippy, workspace);
    let doc = Step::cargo("doc --no-deps --workspace").locked();
    report.step("docs", &doc.env("RUSTDOCFLAGS", "-D warnings"), workspace);
}

/// The checks of an example, a workspace of its own, by cargo.
fn example(workspace: &Workspace, dir: &Path, report: &mut Report) {
    let name = |check: &str| format!("{}: {check}", dir.display());
    let lock = dir.join("Cargo.lock");
    if workspace.root().join(&lock).is_file() {
        report.step(&name("lock file"), &lock_check().within(dir), workspace);
    } else {
        // Cargo would write it, and with it lint would write into the tree.
        let missing = Finding::file(&lock, "is missing; `cargo xtask fix` writes it, commit it");
        report.texts(&name("lock file"), "", &[missing]);
    }
    report.step(
        &name("format"),
        &Step::cargo("fmt --check").within(dir),
        workspace,
    );
    let clippy = Step::cargo("clippy --all-targets")
        .within(dir)
        .target_dir(workspace)
        .locked();
    report.step(&name("clippy"), &clippy.rest("-D warnings"), workspace);
}

/// Fails if the lock file is not what the manifests ask for. `tree` resolves everything and builds nothing.
fn lock_check() -> Step {
    Step::cargo("tree --depth 0 --workspace").locked().quiet()
}

impl Report {
    /// Runs a check by cargo.
    fn step(&mut self, name: &str, step: &Step, workspace: &Workspace) {
        self.push(name, step.run(workspace));
    }

    /// Takes the findings of a check of texts, under the heading that explains the rule.
    fn texts(&mut self, name: &str, heading: &str, findings: &[Finding]) {
        println!("→ {name}");
        if !findings.is_empty() && !heading.is_empty() {
            eprintln!("  {heading}");
        }
        for finding in findings {
            eprintln!("  {finding}");
        }
        self.push(name, findings.is_empty());
    }

    /// Compares the data of the query macros with what a server says, if one of its version is at hand.
    fn sqlx_data(&mut self, workspace: &Workspace) {
        let name = "sqlx data";
        match sqlx_data::check(workspace) {
            sqlx_data::Verdict::Same => self.texts(name, "", &[]),
            sqlx_data::Verdict::Stale(findings) => {
                self.texts(name, "`cargo xtask prepare` mends it", &findings)
            }
            sqlx_data::Verdict::NotRun(reason) => {
                self.0.push((name.to_owned(), Verdict::NotRun(reason)))
            }
        }
    }

    fn push(&mut self, name: &str, passed: bool) {
        let verdict = if passed { Verdict::Ok } else { Verdict::Failed };
        self.0.push((name.to_owned(), verdict));
    }

    fn failures(&self) -> usize {
        self.0
            .iter()
            .filter(|(_, verdict)| matches!(verdict, Verdict::Failed))
            .count()
    }

    fn not_run(&self) -> usize {
        self.0
            .iter()
            .filter(|(_, verdict)| matches!(verdict, Verdict::NotRun(_)))
            .count()
    }

    fn table(&self) -> String {
        let width = self
            .0
            .iter()
            .map(|(name, _)| name.chars().count())
            .max()
            .unwrap_or(0);
        let row = |(name, verdict): &(String, Verdict)| match verdict {
            Verdict::Ok => format!("{name:width$}  ok\n"),
            Verdict::Failed => format!("{name:width$}  FAILED\n"),
            Verdict::NotRun(reason) => format!("{name:width$}  not run: {reason}\n"),
        };
        self.0.iter().map(row).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_check_is_in_the_table() {
        let mut report = Report::default();
        report.texts("short", "", &[]);
        report.texts(
            "a longer one",
            "",
            &[Finding::file(Path::new("x"), "is wrong")],
        );
        report.0.push((
            "left out".to_owned(),
            Verdict::NotRun("no server".to_owned()),
        ));
        let table = "short         ok\na longer one  FAILED\nleft out      not run: no server\n";
        assert_eq!(report.table(), table);
        assert_eq!((report.failures(), report.not_run()), (1, 1));
    }
}
