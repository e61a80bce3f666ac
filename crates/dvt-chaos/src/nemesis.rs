//! Breaks things, by a seeded schedule, and mends them.

mod acts;
mod kind;
mod schedule;

pub(crate) use self::acts::{Arena, act};
pub(crate) use self::kind::Kind;
pub(crate) use self::schedule::schedule;
