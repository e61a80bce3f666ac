//! Hints: a writer tells listeners of what it appended, after its commit and in the background. A lost one costs time only.

mod ear;
mod listener;
mod sender;

pub use self::listener::HintListener;
pub(crate) use self::sender::HintSender;
