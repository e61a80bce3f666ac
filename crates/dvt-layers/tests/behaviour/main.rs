//! What callers of a layer notice, beyond what the conformance suite asks of every store.
#![expect(
    clippy::panic,
    clippy::unwrap_used,
    reason = "a broken fixture must fail the test"
)]

mod group_commit;
mod slow;
mod transition_guard;
