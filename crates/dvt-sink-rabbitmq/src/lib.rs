#![doc = include_str!("../README.md")]

mod answer;
mod auth;
mod connect_error;
mod dial;
mod link;
mod message;
mod runtime;
mod settings;
mod sink;
mod tls;
mod uplink;
mod wire;

pub use self::connect_error::RabbitMqConnectError;
pub use self::settings::{RabbitMqSettings, RabbitMqSettingsError};
pub use self::sink::RabbitMqSink;
