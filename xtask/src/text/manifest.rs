//! As much of a Cargo.toml as the rules ask for: dotted paths and their values, line by line.

/// The entries of a manifest.
#[derive(Debug)]
pub(crate) struct Manifest(Vec<Entry>);

/// One `key = value`, with the section's name before the key.
#[derive(Debug, PartialEq, Eq)]
struct Entry {
    line: usize,
    path: Vec<String>,
    value: String,
}

/// What a dependency is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// It is part of what is built.
    Normal,
    /// It builds what is built.
    Build,
    /// It tests what is built.
    Dev,
}

/// One dependency.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Dependency {
    /// The package's name, also if the manifest calls it something else.
    pub(crate) package: String,
    /// What it is for.
    pub(crate) kind: Kind,
    /// Where the manifest first names it.
    pub(crate) line: usize,
}

impl Manifest {
    /// Reads a manifest.
    pub(crate) fn parse(text: &str) -> Self {
        let mut entries = Vec::new();
        let mut section = Vec::new();
        let mut lines = (1..).zip(text.lines());
        while let Some((line, raw)) = lines.next() {
            let code = without_comment(raw).trim();
            if let Some(header) = code.strip_prefix('[') {
                section = segments(header.trim_end_matches(']').trim_start_matches('['));
                // An empty section says something too: `[dependencies.tokio]` names tokio.
                entries.push(Entry {
                    line,
                    path: section.clone(),
                    value: String::new(),
                });
            } else if let Some((key, value)) = split_unquoted(code, '=') {
                let mut value = value.trim().to_owned();
                // An array may go on over several lines.
                while open_brackets(&value) {
                    let Some((_, next)) = lines.next() else { break };
                    value.push(' ');
                    value.push_str(without_comment(next).trim());
                }
                let path = [section.clone(), segments(key)].concat();
                entries.push(Entry { line, path, value });
            }
        }
        Self(entries)
    }

    /// The value at a path, as it is written.
    pub(crate) fn value(&self, path: &[&str]) -> Option<&str> {
        let entry = self
            .0
            .iter()
            .find(|entry| entry.path == path && !entry.value.is_empty())?;
        Some(&entry.value)
    }

    /// The text at a path, without its quotes.
    pub(crate) fn text(&self, path: &[&str]) -> Option<&str> {
        self.value(path).map(unquoted)
    }

    /// All dependencies, in the order of the manifest, those for some targets only included.
    pub(crate) fn dependencies(&self) -> Vec<Dependency> {
        let mut found: Vec<(String, Dependency)> = Vec::new();
        for entry in &self.0 {
            let path: Vec<_> = entry.path.iter().map(String::as_str).collect();
            let Some((kind, name, rest)) = dependency_path(&path) else {
                continue;
            };
            let package = match rest {
                ["package"] => Some(unquoted(&entry.value).to_owned()),
                [] => inline_package(&entry.value),
                _ => None,
            };
            let known = found
                .iter_mut()
                .find(|(known, dependency)| known == name && dependency.kind == kind);
            match (known, package) {
                (Some((_, dependency)), Some(package)) => dependency.package = package,
                (Some(_), None) => {}
                (None, package) => {
                    let package = package.unwrap_or_else(|| name.to_owned());
                    found.push((
                        name.to_owned(),
                        Dependency {
                            package,
                            kind,
                            line: entry.line,
                        },
                    ));
                }
            }
        }
        found
            .into_iter()
            .map(|(_, dependency)| dependency)
            .collect()
    }
}

/// Takes a path such as `target.'cfg(unix)'.dependencies.tokio.features` apart.
fn dependency_path<'a>(path: &'a [&'a str]) -> Option<(Kind, &'a str, &'a [&'a str])> {
    let path = match path {
        ["target", _, rest @ ..] => rest,
        all => all,
    };
    let [table, name, rest @ ..] = path else {
        return None;
    };
    let kind = match *table {
        "dependencies" => Kind::Normal,
        "build-dependencies" | "build_dependencies" => Kind::Build,
        "dev-dependencies" | "dev_dependencies" => Kind::Dev,
        _ => return None,
    };
    Some((kind, name, rest))
}

/// The `package = "…"` of an inline table.
fn inline_package(value: &str) -> Option<String> {
    let inside = value.strip_prefix('{')?.trim_end_matches('}');
    let mut rest = inside;
    loop {
        let (pair, next) = split_unquoted(rest, ',').unwrap_or((rest, ""));
        if let Some((key, value)) = split_unquoted(pair, '=')
            && key.trim() == "package"
        {
            return Some(unquoted(value.trim()).to_owned());
        }
        if next.is_empty() {
            return None;
        }
        rest = next;
    }
}

fn without_comment(line: &str) -> &str {
    split_unquoted(line, '#').map_or(line, |(code, _)| code)
}

/// Splits at the first separator that is in no string.
fn split_unquoted(text: &str, separator: char) -> Option<(&str, &str)> {
    let mut quote = None;
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        match quote {
            None if c == separator => {
                return Some((text.get(..at)?, text.get(at + c.len_utf8()..)?));
            }
            None if c == '"' || c == '\'' => quote = Some(c),
            Some('"') if c == '\\' && !escaped => {
                escaped = true;
                continue;
            }
            Some(open) if c == open && !escaped => quote = None,
            _ => {}
        }
        escaped = false;
    }
    None
}

fn segments(dotted: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = dotted;
    while let Some((first, next)) = split_unquoted(rest, '.') {
        found.push(unquoted(first.trim()).to_owned());
        rest = next;
    }
    found.push(unquoted(rest.trim()).to_owned());
    found
}

fn unquoted(text: &str) -> &str {
    text.trim_matches(['"', '\''])
}

fn open_brackets(value: &str) -> bool {
    let mut depth = 0_i32;
    let mut rest = value;
    while let Some((_, next)) = split_unquoted(rest, '[') {
        depth += 1;
        rest = next;
    }
    rest = value;
    while let Some((_, next)) = split_unquoted(rest, ']') {
        depth -= 1;
        rest = next;
    }
    depth > 0
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"
[package]
name = "dvt-x" # the name
keywords = [
  "tokio = 1", # not a key
]

[lints]
workspace = true

[dependencies]
a.workspace = true
b = { version = "1, =2", package = "real-b", features = ["x"] }
"c" = "1"
# d = "1"

[dependencies.e]
version = "1"
package = "real-e"

[target.'cfg(unix)'.dependencies]
f = "1"

[dev-dependencies]
a.workspace = true
g = "1"

[build-dependencies.h]
"#;

    fn names(kind: Kind) -> Vec<String> {
        let all = Manifest::parse(TEXT).dependencies().into_iter();
        all.filter(|dependency| dependency.kind == kind)
            .map(|dependency| dependency.package)
            .collect()
    }

    #[test]
    fn every_way_to_write_a_dependency_is_read() {
        assert_eq!(names(Kind::Normal), ["a", "real-b", "c", "real-e", "f"]);
        assert_eq!(names(Kind::Dev), ["a", "g"]);
        assert_eq!(names(Kind::Build), ["h"]);
    }

    #[test]
    fn a_dependency_has_its_line() {
        let all = Manifest::parse(TEXT).dependencies();
        assert_eq!(all.first().map(|dependency| dependency.line), Some(12));
    }

    #[test]
    fn values_are_found_by_path() {
        let manifest = Manifest::parse(TEXT);
        assert_eq!(manifest.value(&["package", "name"]), Some("\"dvt-x\""));
        assert_eq!(manifest.value(&["lints", "workspace"]), Some("true"));
        assert_eq!(manifest.value(&["lints", "rust"]), None);
        let dotted = Manifest::parse("lints.workspace = true");
        assert_eq!(dotted.value(&["lints", "workspace"]), Some("true"));
    }

    #[test]
    fn broken_text_is_read_as_far_as_it_goes() {
        let manifest = Manifest::parse("[dependencies\na = [\"x\",\n");
        assert_eq!(manifest.dependencies().len(), 1);
    }
}
