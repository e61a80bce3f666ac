//! Who may depend on whom: arrows point inwards.

use std::path::Path;

use super::{crates, name_of};
use crate::finding::{Finding, Findings};
use crate::text::files::{self, TextFile};
use crate::text::manifest::{Dependency, Kind, Manifest};

/// What dvt-contracts must not know: runtimes, databases, transports.
const OUTSIDE: [&str; 6] = [
    "tokio",
    "sqlx",
    "rusqlite",
    "reqwest",
    "async-nats",
    "lapin",
];
/// All that the suite's users must get along with it.
const SUITE: [&str; 4] = ["dvt-contracts", "tokio", "proptest", "async-trait"];
/// The crates at the rim, on which no other crate builds.
const RIM: [&str; 3] = ["dvt-cli", "dvt-bench", "dvt-chaos"];
/// Crates that must be there, lest their rules check nothing.
const REQUIRED: [&str; 2] = ["dvt-contracts", "dvt-conformance"];

/// Checks the manifests of all crates and of this one.
pub(super) fn check(root: &Path) -> Findings {
    let mut packages = match crates(root) {
        Ok(packages) => packages,
        Err(finding) => return vec![finding],
    };
    let missing = REQUIRED
        .iter()
        .filter(|name| !packages.iter().any(|package| name_of(package) == **name));
    let mut findings: Findings = missing
        .map(|name| {
            Finding::file(
                &Path::new("crates").join(name),
                "expected a crate here, found none",
            )
        })
        .collect();
    packages.push("xtask".into());
    for package in packages {
        match files::read(root, &package.join("Cargo.toml")) {
            Ok(manifest) => findings.extend(of(&name_of(&package), &manifest)),
            Err(finding) => findings.push(finding),
        }
    }
    findings
}

/// Checks the manifest of the crate of this name.
fn of(name: &str, manifest: &TextFile) -> Findings {
    let dependencies = Manifest::parse(&manifest.text).dependencies();
    let breaches = dependencies.iter().filter_map(|dependency| {
        let reason = breach(name, dependency)?;
        let message = format!("{name} must not depend on {}: {reason}", dependency.package);
        Some(Finding::line(&manifest.path, dependency.line, message))
    });
    breaches.collect()
}

/// Why a crate must not have this dependency, if it must not.
fn breach(name: &str, dependency: &Dependency) -> Option<&'static str> {
    let package = dependency.package.as_str();
    if name == "xtask" {
        // Of any kind: xtask prepares what adapters need to compile.
        return is_store(package).then_some("a query that does not compile must not stop xtask");
    }
    // Tests may use what they like.
    if dependency.kind == Kind::Dev {
        return None;
    }
    match name {
        "dvt-contracts" if OUTSIDE.contains(&package) => {
            Some("the contracts do no I/O and know no runtime")
        }
        "dvt-contracts" if package.starts_with("dvt-") => {
            Some("the contracts are the innermost crate")
        }
        "dvt-conformance" if !SUITE.contains(&package) => {
            Some("the suite brings dvt-contracts, tokio, proptest and async-trait, nothing else")
        }
        _ if is_inner(name) && is_adapter(package) => {
            Some("no adapter and nothing below one knows another adapter")
        }
        _ if is_inner(name) && RIM.contains(&package) => {
            Some("arrows point inwards, and it is at the rim")
        }
        _ => None,
    }
}

/// Whether a crate lies inside the rim, where no adapter may be named.
fn is_inner(name: &str) -> bool {
    is_adapter(name) || name == "dvt-layers" || name == "dvt-relay"
}

fn is_adapter(name: &str) -> bool {
    is_store(name) || name.starts_with("dvt-sink-")
}

fn is_store(name: &str) -> bool {
    name.starts_with("dvt-adapter-")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::texts;
    use crate::scratch::Scratch;

    fn found(name: &str, text: &str) -> Vec<String> {
        let manifest = TextFile {
            path: "Cargo.toml".into(),
            text: text.to_owned(),
        };
        texts(&of(name, &manifest))
    }

    #[test]
    fn contracts_know_neither_runtime_nor_database_nor_any_crate_of_ours() {
        for package in OUTSIDE.into_iter().chain(["dvt-layers"]) {
            let text = format!("[dependencies]\nserde = \"1\"\n{package}.workspace = true\n");
            let found = found("dvt-contracts", &text);
            assert_eq!(found.len(), 1, "{package}: {found:?}");
            let start = format!("Cargo.toml:3: dvt-contracts must not depend on {package}: ");
            assert!(found[0].starts_with(&start), "{found:?}");
        }
        assert_eq!(
            found("dvt-contracts", "[dev-dependencies]\ntokio = \"1\"\n"),
            [""; 0]
        );
    }

    #[test]
    fn the_suite_brings_only_what_is_on_its_list() {
        let allowed = "[dependencies]\ntokio = { workspace = true }\nproptest.workspace = true\n\
                       [dev-dependencies]\ndvt-adapter-memory.workspace = true\n";
        assert_eq!(found("dvt-conformance", allowed), [""; 0]);
        assert_eq!(
            found("dvt-conformance", "[dependencies.rand]\nversion = \"1\"\n").len(),
            1
        );
    }

    #[test]
    fn xtask_links_no_store_not_even_for_tests() {
        for table in ["dependencies", "dev-dependencies", "build-dependencies"] {
            let text = format!("[{table}]\ndvt-adapter-memory.workspace = true\n");
            assert_eq!(found("xtask", &text).len(), 1, "{table}");
        }
    }

    #[test]
    fn no_inner_crate_names_an_adapter_or_the_rim() {
        for name in ["dvt-adapter-x", "dvt-sink-x", "dvt-layers", "dvt-relay"] {
            for package in [
                "dvt-adapter-memory",
                "dvt-sink-nats",
                "dvt-cli",
                "dvt-chaos",
            ] {
                let normal = format!(
                    "[target.'cfg(unix)'.dependencies]\ny = {{ package = \"{package}\" }}\n"
                );
                assert_eq!(found(name, &normal).len(), 1, "{name} {package}");
                let dev = format!("[dev-dependencies]\n{package}.workspace = true\n");
                assert_eq!(found(name, &dev), [""; 0], "{name} {package}");
            }
            assert_eq!(
                found(name, "[dependencies]\ndvt-contracts.workspace = true\n"),
                [""; 0]
            );
        }
        assert_eq!(
            found(
                "dvt-cli",
                "[dependencies]\ndvt-adapter-memory.workspace = true\n"
            ),
            [""; 0]
        );
    }

    #[test]
    fn a_crate_that_is_gone_is_told() {
        let scratch = Scratch::with(&[
            ("crates/dvt-contracts/Cargo.toml", ""),
            ("xtask/Cargo.toml", ""),
        ]);
        let found = texts(&check(scratch.root()));
        assert_eq!(
            found,
            ["crates/dvt-conformance: expected a crate here, found none"]
        );
    }
}
