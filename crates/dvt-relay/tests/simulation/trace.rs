use std::fmt::{self, Write as _};
use std::hash::{DefaultHasher, Hasher as _};
use std::time::Duration;

use tokio::time::Instant;

/// Everything that happened, as a hash; as lines too, when a seed is played again.
#[derive(Debug)]
pub(crate) struct Trace {
    begun_at: Instant,
    hasher: DefaultHasher,
    lines: Option<Vec<(Duration, String)>>,
}

impl Trace {
    pub(crate) fn begin(keep_lines: bool) -> Self {
        Self {
            begun_at: Instant::now(),
            hasher: DefaultHasher::new(),
            lines: keep_lines.then(Vec::new),
        }
    }

    pub(crate) fn note(&mut self, what: fmt::Arguments<'_>) {
        let at = self.begun_at.elapsed();
        // Neither of the two writers fails.
        let _ = writeln!(self, "{at:?} {what}");
        if let Some(lines) = &mut self.lines {
            lines.push((at, what.to_string()));
        }
    }

    pub(crate) fn hash(&self) -> u64 {
        self.hasher.finish()
    }

    pub(crate) fn take_lines(&mut self) -> Vec<(Duration, String)> {
        self.lines.take().unwrap_or_default()
    }
}

impl fmt::Write for Trace {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.hasher.write(text.as_bytes());
        Ok(())
    }
}
