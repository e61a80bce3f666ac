//! The contract, the suite that checks it, and the tables about both: none may drift from the others.

mod bullets;
mod cases;
mod contract;
mod list;
mod table;

use std::fs;
use std::path::{Path, PathBuf};

use self::bullets::Bullet;
use self::cases::Case;
use self::list::Listed;
use crate::finding::{Check, Finding, Findings};
use crate::text::files::{self, TextFile};

/// Where the ports are, with their lists of what an adapter must do.
const CONTRACTS: &str = "crates/dvt-contracts/src";
/// Where the cases are, one file for each family.
const CASES: &str = "crates/dvt-conformance/src/cases";
/// The one list of the cases.
const LIST: &str = "crates/dvt-conformance/src/list.rs";
/// Where the generated table stands.
const TABLE: &str = "crates/dvt-conformance/README.md";

/// The checks of this module, in the order in which they should be mended.
pub(crate) fn checks() -> [Check; 3] {
    [
        Check {
            name: "bullets and cases",
            heading: "each bullet under `# Adapter must` is the first paragraph of exactly one case",
            run: |root| bullets_and_cases(root).unwrap_or_else(|findings| findings),
        },
        Check {
            name: "case list",
            heading: "src/list.rs names each case exactly once",
            run: |root| case_list(root).unwrap_or_else(|findings| findings),
        },
        Check {
            name: "case table",
            heading: "the table is generated: `cargo xtask fix`",
            run: |root| case_table(root).unwrap_or_else(|findings| findings),
        },
    ]
}

fn bullets_and_cases(root: &Path) -> Result<Findings, Findings> {
    let (cases, mut findings) = read_cases(root)?;
    findings.extend(contract::compare(&read_bullets(root)?, &cases));
    Ok(findings)
}

fn case_list(root: &Path) -> Result<Findings, Findings> {
    // What is wrong with a case's words is the other check's to tell.
    let (cases, _) = read_cases(root)?;
    let file = files::read(root, Path::new(LIST)).map_err(|finding| vec![finding])?;
    Ok(list::compare(&file.path, &list::parse(&file)?, &cases))
}

fn case_table(root: &Path) -> Result<Findings, Findings> {
    let suite = Suite::read(root)?;
    let readme = suite.readme()?;
    let fresh = suite.spliced(&readme)?;
    Ok(table::difference(&readme, &fresh).into_iter().collect())
}

fn read_bullets(root: &Path) -> Result<Vec<Bullet>, Findings> {
    let files = files::rust_files(root, Path::new(CONTRACTS)).map_err(|finding| vec![finding])?;
    let mut findings = Vec::new();
    let mut bullets = Vec::new();
    for file in &files {
        match bullets::of(file) {
            Ok(found) => bullets.extend(found),
            Err(found) => findings.extend(found),
        }
    }
    if bullets.is_empty() && findings.is_empty() {
        findings.push(Finding::file(
            Path::new(CONTRACTS),
            "expected bullets under `# Adapter must`, found none",
        ));
    }
    if findings.is_empty() {
        Ok(bullets)
    } else {
        Err(findings)
    }
}

fn read_cases(root: &Path) -> Result<(Vec<Case>, Findings), Findings> {
    let files = files::rust_files(root, Path::new(CASES)).map_err(|finding| vec![finding])?;
    let mut findings = Vec::new();
    let mut cases = Vec::new();
    for file in &files {
        let (found, faults) = cases::of(file);
        findings.extend(faults);
        if file.path.parent() == Some(Path::new(CASES)) {
            cases.extend(found);
        } else if let Some(case) = found.first() {
            findings.push(Finding::line(
                &case.path,
                case.line,
                format!("a case must be in a file right in {CASES}"),
            ));
        }
    }
    if cases.is_empty() {
        findings.push(Finding::file(
            Path::new(CASES),
            "expected cases (`pub async fn`), found none",
        ));
        return Err(findings);
    }
    Ok((cases, findings))
}

/// The suite, as far as the generated table tells of it.
#[derive(Debug)]
pub(crate) struct Suite {
    root: PathBuf,
    cases: Vec<Case>,
    listed: Vec<Listed>,
}

impl Suite {
    /// Reads cases and list.
    ///
    /// # Errors
    ///
    /// The findings if one of them cannot be read.
    pub(crate) fn read(root: &Path) -> Result<Self, Findings> {
        let (cases, _) = read_cases(root)?;
        let file = files::read(root, Path::new(LIST)).map_err(|finding| vec![finding])?;
        let listed = list::parse(&file)?;
        Ok(Self {
            root: root.to_path_buf(),
            cases,
            listed,
        })
    }

    /// Writes the case table anew, if it is stale.
    ///
    /// # Errors
    ///
    /// The findings if it cannot be generated, placed or written.
    pub(crate) fn write_table(&self) -> Result<(), Findings> {
        let readme = self.readme()?;
        let fresh = self.spliced(&readme)?;
        if fresh == readme.text {
            return Ok(());
        }
        fs::write(self.root.join(&readme.path), fresh).map_err(|error| {
            vec![Finding::file(
                &readme.path,
                format!("cannot write it: {error}"),
            )]
        })
    }

    fn readme(&self) -> Result<TextFile, Findings> {
        files::read(&self.root, Path::new(TABLE)).map_err(|finding| vec![finding])
    }

    fn spliced(&self, readme: &TextFile) -> Result<String, Findings> {
        let table = table::generate(Path::new(LIST), &self.listed, &self.cases)?;
        table::splice(readme, &table).map_err(|finding| vec![finding])
    }
}

#[cfg(test)]
mod tests;
