use std::fmt;
use std::str::FromStr;

/// The schema that a store lives in.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SchemaName(String);

/// A text that is no [`SchemaName`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{found:?} is no schema name: use lower-case letters, digits and _, at most 48, not beginning with a digit or pg_")]
pub struct InvalidSchemaName {
    /// The text, cut after 64 characters.
    pub found: String,
}

impl SchemaName {
    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for SchemaName {
    fn default() -> Self {
        Self("dvt".to_owned())
    }
}

impl FromStr for SchemaName {
    type Err = InvalidSchemaName;
    fn from_str(text: &str) -> Result<Self, InvalidSchemaName> {
        let first = |c: char| c.is_ascii_lowercase() || c == '_';
        let valid = text.len() <= 48
            && text.starts_with(first)
            && text.chars().all(|c| first(c) || c.is_ascii_digit())
            && !text.starts_with("pg_");
        if valid {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidSchemaName { found: text.chars().take(64).collect() })
        }
    }
}

impl fmt::Display for SchemaName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}
