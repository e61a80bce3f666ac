use std::fmt;

/// What [`Doctor`](crate::Doctor) looked at, what it saw there, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What was looked at.
    pub check: Check,
    /// How bad it is.
    pub severity: Severity,
    /// What was seen, with its values.
    pub found: String,
    /// What to do: always there for [`Severity::Warning`] and [`Severity::Fault`].
    pub remedy: Option<String>,
}

/// How bad a [`Finding`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// As it should be.
    Good,
    /// Worth knowing; nothing suffers.
    Note,
    /// It works, but slower, or less safely, than it could; or it will stop working.
    Warning,
    /// A promise of the store is broken, or calls fail.
    Fault,
}

/// What [`Doctor`](crate::Doctor) looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Check {
    /// The server's version and role.
    Server,
    /// Settings on which durability and upkeep depend.
    Settings,
    /// Whether a session stays with one server process.
    Pooler,
    /// The protection of the connection.
    Tls,
    /// The server's clock against this machine's.
    Clock,
    /// Room for connections.
    Connections,
    /// The schema and its migrations.
    Migrations,
    /// What this role may do.
    Privileges,
    /// Indexes: there, and valid.
    Indexes,
    /// The triggers that keep the log append-only.
    Triggers,
    /// What keeps vacuum from removing dead rows.
    Transactions,
    /// The tables' dead rows and age.
    Tables,
}

impl Finding {
    pub(super) fn good(check: Check, found: impl Into<String>) -> Self {
        Self {
            check,
            severity: Severity::Good,
            found: found.into(),
            remedy: None,
        }
    }

    pub(super) fn note(check: Check, found: impl Into<String>) -> Self {
        Self {
            severity: Severity::Note,
            ..Self::good(check, found)
        }
    }

    pub(super) fn warning(
        check: Check,
        found: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self {
            severity: Severity::Warning,
            remedy: Some(remedy.into()),
            ..Self::good(check, found)
        }
    }

    pub(super) fn fault(check: Check, found: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self {
            severity: Severity::Fault,
            ..Self::warning(check, found, remedy)
        }
    }
}

impl Severity {
    /// Its name: `good`, `note`, `warning` or `fault`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Fault => "fault",
        }
    }
}

impl Check {
    /// Its name, such as `indexes`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Server => "server",
            Self::Settings => "settings",
            Self::Pooler => "pooler",
            Self::Tls => "tls",
            Self::Clock => "clock",
            Self::Connections => "connections",
            Self::Migrations => "migrations",
            Self::Privileges => "privileges",
            Self::Indexes => "indexes",
            Self::Triggers => "triggers",
            Self::Transactions => "transactions",
            Self::Tables => "tables",
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
