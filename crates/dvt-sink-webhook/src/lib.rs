#![doc = include_str!("../README.md")]

mod address;
mod answer;
mod connect_error;
mod connection;
mod connector;
mod message;
mod mode;
mod network;
mod pool;
mod redaction;
mod retry_after;
mod secrets;
mod settings;
mod sink;
mod tls;
mod verify;

pub use address::AddressKind;
pub use connect_error::WebhookConnectError;
pub use mode::WebhookMode;
#[doc(hidden)]
pub use network::Network;
pub use secrets::{InvalidSecrets, Secrets};
pub use settings::{WebhookSettings, WebhookSettingsError};
pub use sink::WebhookSink;
pub use verify::{InvalidSignature, SignatureHeaders, TOLERANCE};
