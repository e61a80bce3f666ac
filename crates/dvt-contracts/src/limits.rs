//! Every bound in one place. All adapters enforce the same ones, before any side effect.

use std::time::Duration;

/// Longest identifier or idempotency key, in bytes of UTF-8.
pub const MAX_IDENTIFIER_BYTES: usize = 255;
/// Longest destination name, in bytes of UTF-8.
pub const MAX_DESTINATION_BYTES: usize = 1_024;
/// Largest payload of one event, in bytes without surrounding white space.
pub const MAX_PAYLOAD_BYTES: usize = 1024 * 1024;
/// Deepest nesting of arrays and objects in a payload; a scalar has depth 0.
pub const MAX_PAYLOAD_DEPTH: usize = 64;
/// Most events in one call of `append_batch` or `bootstrap_run`.
pub const MAX_CALL_EVENTS: usize = 1_000;
/// Most payload bytes in one call of `append_batch` or `bootstrap_run`.
pub const MAX_CALL_BYTES: usize = 16 * 1024 * 1024;
/// Most rows that a listing returns; a higher limit counts as this one.
pub const MAX_PAGE: u32 = 1_000;
/// A page of events ends before its payloads exceed this many bytes, but holds at least one event.
pub const MAX_PAGE_BYTES: usize = 16 * 1024 * 1024;
/// Most runs that one claim takes, and most events that it takes of each; higher limits count as this one.
pub const MAX_CLAIM: u32 = 1_000;
/// Most leases in one call of `mark_delivered`, `extend` or `release`.
pub const MAX_CALL_LEASES: usize = 1_000;
/// Shortest lease.
pub const MIN_LEASE: Duration = Duration::from_millis(1);
/// Longest lease.
pub const MAX_LEASE: Duration = Duration::from_secs(24 * 60 * 60);
/// Largest checkpoint, in bytes of its texts.
pub const MAX_CHECKPOINT_BYTES: usize = 16 * 1024 * 1024;
/// Longest text kept about a failure or an operator's action, in bytes of UTF-8.
pub const MAX_TEXT_BYTES: usize = 8 * 1024;
/// A run that was claimed this many times and never acknowledged, failed or released is claimed alone.
pub const UNFINISHED_CLAIMS_ALONE: u32 = 3;
