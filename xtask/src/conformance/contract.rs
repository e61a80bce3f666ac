//! Bullets and cases: each of one side has exactly one of the other.

use std::collections::BTreeMap;

use super::bullets::Bullet;
use super::cases::Case;
use crate::finding::{Finding, Findings};

/// What keeps bullets and cases from being the two sides of one thing.
pub(super) fn compare(bullets: &[Bullet], cases: &[Case]) -> Findings {
    let mut findings = Vec::new();
    let mut by_text: BTreeMap<&str, &Bullet> = BTreeMap::new();
    for bullet in bullets {
        if let Some(first) = by_text.get(bullet.text.as_str()) {
            let message = format!(
                "says what {}:{} says: \"{}\"",
                first.path.display(),
                first.line,
                bullet.text
            );
            findings.push(Finding::line(&bullet.path, bullet.line, message));
        } else {
            by_text.insert(&bullet.text, bullet);
        }
    }
    let mut by_sentence: BTreeMap<&str, &Case> = BTreeMap::new();
    // A case without a sentence has been told already.
    for case in cases.iter().filter(|case| !case.sentence.is_empty()) {
        let Case {
            path,
            line,
            name,
            sentence,
            ..
        } = case;
        if !by_text.contains_key(sentence.as_str()) {
            let message = format!("case `{name}` quotes no bullet: \"{sentence}\"");
            findings.push(Finding::line(path, *line, message));
        } else if let Some(first) = by_sentence.get(sentence.as_str()) {
            let message = format!(
                "case `{name}` checks what `{}` at {}:{} checks: \"{sentence}\"",
                first.name,
                first.path.display(),
                first.line
            );
            findings.push(Finding::line(path, *line, message));
        } else {
            by_sentence.insert(sentence, case);
        }
    }
    for (text, bullet) in &by_text {
        if !by_sentence.contains_key(text) {
            let message = format!("no case checks this bullet: \"{text}\"");
            findings.push(Finding::line(&bullet.path, bullet.line, message));
        }
    }
    findings.sort();
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::texts;

    fn bullet(line: usize, text: &str) -> Bullet {
        Bullet {
            path: "store.rs".into(),
            line,
            text: text.to_owned(),
        }
    }

    fn case(line: usize, name: &str, sentence: &str) -> Case {
        Case {
            family: "append".to_owned(),
            name: name.to_owned(),
            path: "append.rs".into(),
            line,
            sentence: sentence.to_owned(),
            catalogue: String::new(),
        }
    }

    #[test]
    fn pairs_pass_in_any_order() {
        let bullets = [bullet(1, "a"), bullet(2, "b")];
        assert_eq!(
            compare(&bullets, &[case(1, "y", "b"), case(2, "x", "a")]),
            []
        );
    }

    #[test]
    fn a_bullet_without_a_case_is_told() {
        let found = compare(&[bullet(1, "a"), bullet(2, "b")], &[case(1, "x", "a")]);
        assert_eq!(
            texts(&found),
            ["store.rs:2: no case checks this bullet: \"b\""]
        );
    }

    #[test]
    fn a_case_without_a_bullet_is_told() {
        let found = compare(&[bullet(1, "a")], &[case(1, "x", "a"), case(2, "y", "A")]);
        assert_eq!(
            texts(&found),
            ["append.rs:2: case `y` quotes no bullet: \"A\""]
        );
    }

    #[test]
    fn two_of_one_kind_are_told() {
        let found = compare(
            &[bullet(1, "a"), bullet(2, "a")],
            &[case(1, "x", "a"), case(2, "y", "a")],
        );
        assert_eq!(
            texts(&found),
            [
                "append.rs:2: case `y` checks what `x` at append.rs:1 checks: \"a\"",
                "store.rs:2: says what store.rs:1 says: \"a\"",
            ]
        );
    }
}
