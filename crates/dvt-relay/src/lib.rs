#![doc = include_str!("../README.md")]

mod breaker;
mod chance;
mod engine;
mod held;
mod observer;
mod relay;
mod report;
mod settings;
mod work;

pub use self::observer::{RelayEvent, RelayObserver};
pub use self::relay::{Relay, RelayWaker};
pub use self::report::{RelayError, RelayMode, RelayReport};
pub use self::settings::{InvalidRelaySettings, RelaySettings};
