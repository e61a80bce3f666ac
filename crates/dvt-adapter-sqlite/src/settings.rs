use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::clock_shift::ClockShift;

/// Where a store's file is, and how to use it.
#[derive(Debug, Clone)]
pub struct SqliteSettings {
    file: PathBuf,
    create: bool,
    patience: Duration,
    clock_shift: ClockShift,
}

impl SqliteSettings {
    /// The store in this file. The first write makes the file if it is missing; no read ever does.
    #[must_use]
    pub fn new(file: impl Into<PathBuf>) -> Self {
        Self {
            file: file.into(),
            create: true,
            patience: Duration::from_secs(5),
            clock_shift: ClockShift::default(),
        }
    }

    /// Whether the first write may make the file. Without it a missing file cannot be opened.
    #[must_use]
    pub fn with_create(self, create: bool) -> Self {
        Self { create, ..self }
    }

    /// How long a call waits for other writers before it fails as `Transient`: 5 seconds by default.
    #[must_use]
    pub fn with_patience(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    /// Moves the store's clock, for tests.
    #[must_use]
    pub fn with_clock_shift(self, clock_shift: ClockShift) -> Self {
        Self {
            clock_shift,
            ..self
        }
    }

    /// The file.
    #[must_use]
    pub fn file(&self) -> &Path {
        &self.file
    }

    pub(crate) fn create(&self) -> bool {
        self.create
    }

    pub(crate) fn patience(&self) -> Duration {
        self.patience
    }

    pub(crate) fn clock_shift(&self) -> &ClockShift {
        &self.clock_shift
    }
}
