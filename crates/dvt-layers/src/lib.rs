#![doc = include_str!("../README.md")]

mod group_commit;
mod pass_on;
mod transition_guard;

pub use self::group_commit::GroupCommit;
pub use self::transition_guard::TransitionGuard;
