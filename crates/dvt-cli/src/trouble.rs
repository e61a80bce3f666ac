use std::error::Error;
use std::io::Write as _;

use crate::console::Page;
use crate::failure::chain;
use crate::text;

/// A store that does not answer for a while: said once, and once more when it is over.
#[derive(Debug, Default)]
pub(crate) struct Trouble {
    is_told: bool,
}

impl Trouble {
    /// It failed, and is asked again.
    pub(crate) fn tell(&mut self, error: &dyn Error, err: &mut Page) {
        if std::mem::replace(&mut self.is_told, true) {
            return;
        }
        let words = chain(error);
        let _ = writeln!(err, "{}; trying again", text::one_line(&words));
    }

    /// It answered.
    pub(crate) fn is_over(&mut self, err: &mut Page) {
        if std::mem::take(&mut self.is_told) {
            let _ = writeln!(err, "the store answers again");
        }
    }
}
