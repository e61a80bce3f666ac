#![doc = include_str!("../README.md")]

mod connect;
mod last;
mod refusal;
mod settings;
mod sink;

pub use self::connect::NatsConnectError;
pub use self::settings::{InvalidNatsSettings, NatsSettings};
pub use self::sink::NatsSink;
