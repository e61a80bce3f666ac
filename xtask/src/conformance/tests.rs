use super::*;
use crate::finding::texts;
use crate::scratch::Scratch;

const PORT: &str = "/// A port.\n///\n/// # Adapter must\n///\n/// - keep it\n/// - give\n///   it back\npub trait P {}\n";
const KEEPING: &str = "/// keep it\npub async fn keeps(h: &H) {}\n";
const GIVING: &str =
    "/// give it back\n///\n/// CASES: A 1, M 110.\npub async fn gives(h: &H) {}\n";
const LISTED: &str = "// cases: begin\n    keeping {\n        keeps,\n    }\n    giving {\n        gives,\n    }\n// cases: end\n";
const README: &str = "# x\n\n<!-- cases: begin -->\n<!-- cases: end -->\n";

fn tree() -> Scratch {
    Scratch::with(&[
        ("crates/dvt-contracts/src/port.rs", PORT),
        ("crates/dvt-conformance/src/cases/keeping.rs", KEEPING),
        ("crates/dvt-conformance/src/cases/giving.rs", GIVING),
        (LIST, LISTED),
        (TABLE, README),
    ])
}

fn run(name: &str, root: &Path) -> Vec<String> {
    let check = checks()
        .into_iter()
        .find(|check| check.name == name)
        .unwrap();
    texts(&(check.run)(root))
}

#[test]
fn a_whole_suite_passes_once_its_table_is_written() {
    let tree = tree();
    assert_eq!(run("bullets and cases", tree.root()), [""; 0]);
    assert_eq!(run("case list", tree.root()), [""; 0]);
    let stale = run("case table", tree.root());
    assert_eq!(stale.len(), 1, "{stale:?}");
    assert!(
        stale[0].starts_with("crates/dvt-conformance/README.md:4: the case table is stale"),
        "{stale:?}"
    );

    Suite::read(tree.root()).unwrap().write_table().unwrap();
    assert_eq!(run("case table", tree.root()), [""; 0]);
    let readme = fs::read_to_string(tree.root().join(TABLE)).unwrap();
    assert!(
        readme.contains("| `giving::gives` | give it back | A 1, M 110 |\n"),
        "{readme}"
    );
}

#[test]
fn an_empty_tree_fails_every_check() {
    let scratch = Scratch::with(&[]);
    for check in checks() {
        assert_ne!((check.run)(scratch.root()), [], "{}", check.name);
    }
}

#[test]
fn a_suite_without_bullets_or_cases_fails() {
    let tree = tree();
    fs::write(
        tree.root().join("crates/dvt-contracts/src/port.rs"),
        "pub trait P {}\n",
    )
    .unwrap();
    let found = run("bullets and cases", tree.root());
    assert_eq!(
        found,
        ["crates/dvt-contracts/src: expected bullets under `# Adapter must`, found none"]
    );
    for file in ["keeping", "giving"] {
        let path = tree.root().join(format!("{CASES}/{file}.rs"));
        fs::write(path, "").unwrap();
    }
    let found = run("case list", tree.root());
    assert_eq!(
        found,
        ["crates/dvt-conformance/src/cases: expected cases (`pub async fn`), found none"]
    );
}

#[test]
fn a_case_in_a_deeper_file_is_told() {
    let tree = tree();
    fs::create_dir(tree.root().join(CASES).join("more")).unwrap();
    fs::write(tree.root().join(CASES).join("more/deep.rs"), KEEPING).unwrap();
    let found = run("bullets and cases", tree.root());
    assert_eq!(
        found,
        [
            "crates/dvt-conformance/src/cases/more/deep.rs:2: a case must be in a file right in \
          crates/dvt-conformance/src/cases"
        ]
    );
}
