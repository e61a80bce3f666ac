use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::fault::Fault;
use super::random::Random;

/// What connections are to suffer, and how often.
///
/// Clones share what is left of [`Rule::at_most`].
#[derive(Debug, Clone, Default)]
pub struct Rule {
    pub(super) what: What,
    left: Option<Arc<AtomicU64>>,
}

#[derive(Debug, Clone, Copy, Default)]
pub(super) enum What {
    /// Nothing.
    #[default]
    Pass,
    Always(Fault),
    Random(Random),
}

impl Rule {
    /// Nothing: everything passes.
    #[must_use]
    pub fn pass() -> Self {
        Self::default()
    }

    /// The same number of times at most, over all connections.
    #[must_use]
    pub fn at_most(self, times: u64) -> Self {
        Self {
            left: Some(Arc::new(AtomicU64::new(times))),
            ..self
        }
    }

    /// Whether who comes is refused.
    pub(super) fn refuses(&self) -> bool {
        matches!(self.what, What::Always(Fault::Refuse))
    }

    /// Whether it may be done once more, which is then counted.
    pub(super) fn take(&self) -> bool {
        let one_less = |left: u64| left.checked_sub(1);
        self.left.as_ref().is_none_or(|left| {
            left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_less)
                .is_ok()
        })
    }
}

impl From<Fault> for Rule {
    fn from(fault: Fault) -> Self {
        Self {
            what: What::Always(fault),
            left: None,
        }
    }
}

impl From<Random> for Rule {
    fn from(random: Random) -> Self {
        Self {
            what: What::Random(random),
            left: None,
        }
    }
}
