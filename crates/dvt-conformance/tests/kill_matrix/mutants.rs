//! The planted bugs, by the half of the contract that they break.

use std::sync::Arc;

use crate::bug::Bug;

pub(crate) use self::tools::CLOCK_TENANT;

mod append;
mod claiming;
mod failing;
mod keys;
mod log;
mod operating;
mod peeking;
mod races;
mod runs;
mod settling;
pub(crate) mod tools;

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
pub(crate) use planted;

/// A bug in one method, without notes.
macro_rules! on {
    (
        $name:ident,
        $method:ident($($argument:ident: $type:ty),*) -> $reply:ty,
        |$inner:ident| $body:expr
    ) => {
        #[derive(Debug, Default)]
        struct $name;
        #[async_trait]
        impl $crate::bug::Bug for $name {
            async fn $method(&self, $inner: &dyn Store, $($argument: $type),*) -> $reply {
                $body
            }
        }
    };
}
pub(crate) use on;

/// A bug in `append_batch`, without notes.
macro_rules! on_append {
    ($name:ident, |$inner:ident, $requests:ident| $body:expr) => {
        #[derive(Debug, Default)]
        struct $name;
        #[async_trait]
        impl $crate::bug::Bug for $name {
            async fn append_batch(
                &self,
                $inner: &dyn Store,
                $requests: &[AppendRequest],
            ) -> $crate::mutants::tools::Replies {
                $body
            }
        }
    };
}
pub(crate) use on_append;

/// No bug at all: every case must pass on it, or its kills would mean nothing.
#[derive(Debug)]
struct NoBug;
impl Bug for NoBug {}

pub(crate) const CONTROL: Planted = Planted {
    name: "NoBug",
    bug: "none",
    make: || Arc::new(NoBug),
};

/// Every planted bug.
pub(crate) fn all() -> Vec<Planted> {
    [
        append::PLANTED,
        keys::PLANTED,
        runs::PLANTED,
        log::PLANTED,
        claiming::PLANTED,
        settling::PLANTED,
        failing::PLANTED,
        operating::PLANTED,
        peeking::PLANTED,
        races::PLANTED,
    ]
    .concat()
}
