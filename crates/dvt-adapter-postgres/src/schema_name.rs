use std::fmt;
use std::str::FromStr;

/// The schema that a store lives in.
///
/// Lower-case ASCII letters, digits and `_`, 1–48 bytes, beginning with a letter or `_`. So it needs no escaping inside
/// double quotes, no server shortens it (PostgreSQL cuts names after 63 bytes, silently), and two different names never
/// mean one schema. What PostgreSQL keeps for itself, `pg_…` and `information_schema`, is refused.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SchemaName(String);

/// A text that is no [`SchemaName`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{found:?} is no schema name: expected 1 to 48 lower-case letters, digits and _, not beginning with a digit or pg_, \
     and not information_schema"
)]
pub struct InvalidSchemaName {
    /// The text, cut after 64 characters.
    pub found: String,
}

impl SchemaName {
    /// As many bytes as a name may have.
    pub const MAX_LEN: usize = 48;

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The channel of the store's hints: short enough for every server, and no other schema's.
    pub(crate) fn channel(&self) -> String {
        format!("dvt_{}", self.0)
    }

    /// The name as SQL text takes it, reserved words (`user`, `table`) included.
    pub(crate) fn quoted(&self) -> String {
        format!("\"{}\"", self.0)
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
        let valid = text.len() <= Self::MAX_LEN
            && text.starts_with(first)
            && text.chars().all(|c| first(c) || c.is_ascii_digit())
            && !text.starts_with("pg_")
            && text != "information_schema";
        if valid {
            Ok(Self(text.to_owned()))
        } else {
            let found = text.chars().take(64).collect();
            Err(InvalidSchemaName { found })
        }
    }
}

impl fmt::Display for SchemaName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_names_are_taken_as_they_are() {
        let longest = "a".repeat(48);
        for name in [
            "dvt", "public", "_", "a1_b2", "user", "pg", "pgx_1", &longest,
        ] {
            let schema: SchemaName = name.parse().unwrap();
            assert_eq!(schema.as_str(), name);
            assert_eq!(schema.to_string(), name);
            assert_eq!(schema.quoted(), format!("\"{name}\""));
            assert_eq!(schema.channel(), format!("dvt_{name}"));
            assert!(schema.channel().len() < 64);
        }
        assert_eq!(SchemaName::default().as_str(), "dvt");
    }

    #[test]
    fn anything_that_would_need_quoting_or_be_cut_is_refused() {
        let (cut, long) = ("a".repeat(64), "a".repeat(49));
        for name in [
            "",
            " ",
            "a\"; drop",
            "a b",
            "a-b",
            "a.b",
            "a'b",
            "a\\b",
            "a$b",
            "a,b",
            "a\0b",
            "dvt\n",
            "Dvt",
            "DVT",
            "1a",
            "pg_",
            "pg_x",
            "pg_temp",
            "pg_catalog",
            "information_schema",
            "schéma",
            "ｄｖｔ",
            "дvt",
            "a\u{301}",
            &long,
            &cut,
        ] {
            let refused = name.parse::<SchemaName>().unwrap_err();
            assert_eq!(refused.found, name);
            assert!(
                refused
                    .to_string()
                    .contains("expected 1 to 48 lower-case letters")
            );
        }
        let endless = "A".repeat(1_000);
        assert_eq!(endless.parse::<SchemaName>().unwrap_err().found.len(), 64);
    }
}
