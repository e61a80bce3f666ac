//! Cases about idempotency.
