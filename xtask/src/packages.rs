//! What the published crates carry.

use std::path::{Path, PathBuf};

use crate::finding::{Finding, Findings};
use crate::sqlx_data;
use crate::step::Step;
use crate::text::files;
use crate::workspace::{Workspace, crates_in};

/// What a crate with queries cannot be compiled without, besides its sources: directories, and how names in them end.
const DATA: [(&str, &str); 3] = [
    ("migrations", ".sql"),
    (".sqlx", ".json"),
    ("queries", ".sql"),
];

/// Checks that each library crate can be packaged, and that those with queries carry what the queries need.
pub(crate) fn check(workspace: &Workspace) -> Findings {
    let root = workspace.root();
    let found = sqlx_data::crates_with_queries(root)
        .and_then(|with_queries| Ok((libraries(root)?, with_queries)));
    let (libraries, with_queries) = match found {
        Ok(found) => found,
        Err(finding) => return vec![finding],
    };
    let mut findings = Vec::new();
    for dir in libraries {
        let package = dir.file_name().unwrap_or_default().to_string_lossy();
        let list =
            Step::cargo(&format!("package --list --allow-dirty --package {package}")).locked();
        match list.output(workspace) {
            Some(list) if with_queries.contains(&dir) => {
                findings.extend(missing(root, &dir, &list))
            }
            Some(_) => {}
            None => findings.push(Finding::file(
                &dir,
                format!("cannot be packaged: `{}` fails", list.name()),
            )),
        }
    }
    findings
}

/// The crates with a library, relative to the root.
fn libraries(root: &Path) -> Result<Vec<PathBuf>, Finding> {
    let crates = Path::new("crates");
    let dirs = crates_in(root, crates)
        .map_err(|error| Finding::file(crates, format!("cannot read the directory: {error}")))?;
    Ok(dirs
        .into_iter()
        .filter(|dir| root.join(dir).join("src/lib.rs").is_file())
        .collect())
}

/// The files that the list of a crate with queries lacks.
fn missing(root: &Path, dir: &Path, list: &str) -> Findings {
    let mut needed = vec!["sqlx.toml".to_owned()];
    for (folder, end) in DATA {
        let names = files::names(&root.join(dir).join(folder)).unwrap_or_default();
        let names = names.iter().filter(|name| name.ends_with(end));
        needed.extend(names.map(|name| format!("{folder}/{name}")));
    }
    let mut findings: Findings = needed
        .iter()
        .filter(|file| !list.lines().any(|line| line.replace('\\', "/") == **file))
        .map(|file| {
            Finding::file(
                &dir.join(file),
                "is not in the package; see `include` and `exclude` in Cargo.toml",
            )
        })
        .collect();
    if !needed.iter().any(|file| file.starts_with("migrations/")) {
        findings.push(Finding::file(
            &dir.join("migrations"),
            "expected migrations here, found none",
        ));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::texts;
    use crate::scratch::Scratch;

    #[test]
    fn what_a_package_lacks_is_told() {
        let scratch = Scratch::with(&[
            ("a/migrations/0001_create_x.sql", ""),
            ("a/.sqlx/query-1.json", ""),
            ("a/.sqlx/postgres-major", ""),
            ("a/queries/append.sql", ""),
        ]);
        let dir = Path::new("a");
        let all =
            "sqlx.toml\nmigrations/0001_create_x.sql\n.sqlx/query-1.json\nqueries\\append.sql\n";
        assert_eq!(missing(scratch.root(), dir, all), []);
        let less = "Cargo.toml\nmigrations/0001_create_x.sql\nqueries/append.sql\n";
        let message = "is not in the package; see `include` and `exclude` in Cargo.toml";
        assert_eq!(
            texts(&missing(scratch.root(), dir, less)),
            [
                format!("a/sqlx.toml: {message}"),
                format!("a/.sqlx/query-1.json: {message}")
            ]
        );
    }

    #[test]
    fn a_crate_with_queries_has_migrations() {
        let scratch = Scratch::with(&[("a/sqlx.toml", "")]);
        assert_eq!(
            texts(&missing(scratch.root(), Path::new("a"), "sqlx.toml")),
            ["a/migrations: expected migrations here, found none"]
        );
    }
}
