use std::sync::atomic::{AtomicU32, Ordering};

use super::statement::Rows;

/// Whether the keys of the next append are likely to be known.
///
/// Most appends are first ones, and one that does not look for its keys costs a good third less. If a key is known after all,
/// the statement is refused and sent again with a look, so that a replay would cost twice. Known keys come in crowds: after one,
/// all appends of this process look, until many in a row have found none.
#[derive(Debug, Default)]
pub(crate) struct Doubt {
    /// How many appends still look.
    left: AtomicU32,
}

/// How many appends look for their keys after one that found any. Each of them costs a third more than need be; one that is
/// refused costs about twice as much as one that looks.
const AFTER_A_KNOWN_KEY: u32 = 100;

impl Doubt {
    pub(super) fn is_raised(&self) -> bool {
        self.left.load(Ordering::Relaxed) > 0
    }

    /// Takes note of what an append was told.
    pub(super) fn learn(&self, rows: &Rows) {
        match rows.has_known() {
            Some(true) => self.left.store(AFTER_A_KNOWN_KEY, Ordering::Relaxed),
            Some(false) => {
                // Two at once may count as one.
                let left = self.left.load(Ordering::Relaxed);
                self.left.store(left.saturating_sub(1), Ordering::Relaxed);
            }
            None => {}
        }
    }
}
