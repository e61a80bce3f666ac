//! What a text check has to say.

use std::fmt;
use std::path::Path;

/// One breach of one rule: where it is and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Finding {
    file: String,
    line: Option<usize>,
    message: String,
}

/// The findings of one check; none means that it passed.
pub(crate) type Findings = Vec<Finding>;

/// A check of texts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Check {
    /// What it is called in the table of checks.
    pub(crate) name: &'static str,
    /// What stands over its findings: where the rule is explained, or what mends a breach.
    pub(crate) heading: &'static str,
    /// Checks the tree under a root.
    pub(crate) run: fn(&Path) -> Findings,
}

impl Finding {
    /// A finding about a whole file.
    pub(crate) fn file(file: &Path, message: impl Into<String>) -> Self {
        Self {
            file: file.display().to_string(),
            line: None,
            message: message.into(),
        }
    }

    /// A finding at a line, counted from 1.
    pub(crate) fn line(file: &Path, line: usize, message: impl Into<String>) -> Self {
        Self {
            line: Some(line),
            ..Self::file(file, message)
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        write!(f, ": {}", self.message)
    }
}

/// The findings as text, for assertions that show what was found.
#[cfg(test)]
pub(crate) fn texts(findings: &[Finding]) -> Vec<String> {
    findings.iter().map(ToString::to_string).collect()
}
