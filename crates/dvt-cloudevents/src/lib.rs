#![doc = include_str!("../README.md")]

mod cloud_event;
mod encoding;
mod inbox;
mod received;
mod template;

pub use self::cloud_event::{CONTENT_TYPE, CloudEvent};
pub use self::encoding::{InvalidEncoding, decode, encode};
pub use self::inbox::{Inbox, Position, Verdict};
pub use self::received::{InvalidCloudEvent, Received};
pub use self::template::{InvalidTemplate, Template};
