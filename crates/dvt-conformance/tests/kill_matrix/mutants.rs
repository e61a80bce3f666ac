//! The planted bugs, by the half of the contract that they break.

use std::sync::Arc;

use crate::bug::Bug;

mod append;
mod keys;
mod log;
mod races;
mod runs;
mod tools;

/// A bug and what to say about it.
#[derive(Clone, Copy)]
pub(crate) struct Planted {
    pub(crate) name: &'static str,
    pub(crate) bug: &'static str,
    pub(crate) make: fn() -> Arc<dyn Bug>,
}

/// Lists bugs: each needs `Default` and a sentence.
macro_rules! planted {
    ($($name:ident => $bug:literal,)*) => {
        pub(crate) const PLANTED: &[$crate::mutants::Planted] = &[$(
            $crate::mutants::Planted {
                name: stringify!($name),
                bug: $bug,
                make: || std::sync::Arc::new($name::default()),
            },
        )*];
    };
}
use planted;

/// Every planted bug.
pub(crate) fn all() -> Vec<Planted> {
    [
        append::PLANTED,
        keys::PLANTED,
        runs::PLANTED,
        log::PLANTED,
        races::PLANTED,
    ]
    .concat()
}
