//! A proxy for PostgreSQL's protocol that hurts connections where it is told to.
//!
//! A [`Proxy`] passes everything on until a [`Control`] gives it a [`Rule`], for the connections that are there or for those
//! that come. Messages are told apart in clear text; a server's answer to a request for encryption is passed on, and after a
//! *yes* there are only bytes.

mod accept;
mod connection;
mod control;
mod counts;
mod dice;
mod fault;
mod link;
mod pump;
mod random;
mod requests;
mod rule;
mod server;
mod tally;

pub use self::control::Control;
pub use self::counts::{Counts, Hits, Traffic};
pub use self::dice::Dice;
pub use self::fault::{Direction, End, Fault, Message, Place, Spot};
pub use self::random::Random;
pub use self::rule::Rule;
pub use self::server::Proxy;
