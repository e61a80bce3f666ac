//! What is written down: every operation before it begins and after it ended, every arrival, every fault.
//!
//! A history is a file with a line for each [`Entry`], in the order in which the scribe got them. Entries of one actor are in the order
//! in which they happened; between actors the time counts.

mod call;
mod entry;
mod reply;

pub(crate) use self::call::{Append, Call, Held, NewEvent, OperatorAct};
pub(crate) use self::entry::{
    Arrival, Entry, FaultMark, FaultPhase, Final, FinalDeadLetter, FinalRun, Health, Record,
};
pub(crate) use self::reply::{
    Answer, Claimed, FailAnswer, LeaseAnswer, OperatorAnswer, Reply, StoredEvent,
};
