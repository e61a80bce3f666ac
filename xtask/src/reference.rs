//! `docs/cli.md`: what the command says of itself.

use std::fs;
use std::path::Path;

use crate::finding::{Finding, Findings};
use crate::step::Step;
use crate::workspace::Workspace;

/// Where it is.
const FILE: &str = "docs/cli.md";

/// What is wrong with the file. Builds the command.
pub(crate) fn check(workspace: &Workspace) -> Findings {
    let Some(expected) = told(workspace) else {
        return vec![Finding::file(
            Path::new(FILE),
            "the command does not tell it",
        )];
    };
    match fs::read_to_string(workspace.root().join(FILE)) {
        Ok(found) => difference(&found, &expected).into_iter().collect(),
        Err(error) => vec![Finding::file(Path::new(FILE), error.to_string())],
    }
}

/// Writes the file anew.
pub(crate) fn write(workspace: &Workspace) -> Result<(), Finding> {
    let file = Path::new(FILE);
    let text =
        told(workspace).ok_or_else(|| Finding::file(file, "the command does not tell it"))?;
    fs::write(workspace.root().join(file), text)
        .map_err(|error| Finding::file(file, error.to_string()))
}

fn told(workspace: &Workspace) -> Option<String> {
    let command = Step::cargo("run --quiet --package dvt-cli").locked();
    command.rest("reference").output(workspace)
}

/// The first line that differs.
fn difference(found: &str, expected: &str) -> Option<Finding> {
    if found == expected {
        return None;
    }
    let same = found
        .lines()
        .zip(expected.lines())
        .take_while(|(found, expected)| found == expected)
        .count();
    let line = |text: &str| text.lines().nth(same).unwrap_or("the end").to_owned();
    let message = format!(
        "is not what the command says: {:?} found, expected {:?}",
        line(found),
        line(expected)
    );
    Some(Finding::line(Path::new(FILE), same + 1, message))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::texts;

    #[test]
    fn the_first_difference_is_told_with_its_line() {
        let told = |found, expected| texts(difference(found, expected).as_slice());
        assert_eq!(told("a\nb\n", "a\nb\n"), Vec::<String>::new());
        assert_eq!(
            told("a\nb\n", "a\nc\n"),
            ["docs/cli.md:2: is not what the command says: \"b\" found, expected \"c\""]
        );
        assert_eq!(
            told("a\n", "a\nc\n"),
            ["docs/cli.md:2: is not what the command says: \"the end\" found, expected \"c\""]
        );
    }
}
