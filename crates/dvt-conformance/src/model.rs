//! The model test: random histories played against a store and against a plain reference model.

mod call;
mod dice;
mod differ;
#[cfg(feature = "faults")]
mod dropped;
mod observe;
mod operate;
mod play;
mod reference;
mod snap;
mod work;

pub use self::differ::{Contestant, Played, differ};
#[cfg(feature = "faults")]
pub use self::dropped::{Drops, dropped_everywhere};
pub(crate) use self::play::play_histories;

/// A reply as the text in which model and store are compared.
fn text<T: std::fmt::Debug>(value: T) -> String {
    format!("{value:?}")
}
