//! What is unfinished or was for a moment only does not stay.

use crate::finding::{Finding, Findings};
use crate::text::code;
use crate::text::files::TextFile;

/// Macros that only work in progress needs.
const MACROS: [&str; 3] = ["todo", "unimplemented", "dbg"];

/// Checks one file.
pub(super) fn of(file: &TextFile) -> Findings {
    let code = code::only(&file.text);
    let mut findings = Vec::new();
    for name in MACROS {
        for at in code::words(&code, name) {
            if code
                .get(at + name.len()..)
                .is_some_and(|rest| rest.starts_with('!'))
            {
                let message = format!("`{name}!` is left over");
                findings.push(Finding::line(&file.path, code::line_of(&code, at), message));
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::texts;

    #[test]
    fn each_macro_is_told_in_code_only() {
        let file = TextFile {
            path: "x.rs".into(),
            text: "fn f() {\n    todo!();\n    std::dbg!(x);\n    unimplemented!()\n}\n// todo!\nlet todo = \"dbg!\";\n"
                .to_owned(),
        };
        assert_eq!(
            texts(&of(&file)),
            [
                "x.rs:2: `todo!` is left over",
                "x.rs:4: `unimplemented!` is left over",
                "x.rs:3: `dbg!` is left over"
            ]
        );
    }
}
