use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::identifier::{InvalidIdentifier, check_text, text_type};
use crate::limits::MAX_DESTINATION_BYTES;

text_type! {
    /// Names where an outbox delivers to, such as `nats://bus.example/runs`. Never holds a secret.
    ///
    /// 1 to [`MAX_DESTINATION_BYTES`] bytes without control characters, compared byte by byte.
    Destination,
    |text| check_text("destination", text, MAX_DESTINATION_BYTES, |_| false)
}
