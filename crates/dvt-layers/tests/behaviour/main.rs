//! What callers of a layer notice, beyond what the conformance suite asks of every store; and layers with one planted bug each,
//! every one of which a check must notice.
#![expect(
    clippy::panic,
    clippy::unwrap_used,
    reason = "a broken fixture must fail the test"
)]

mod bug;
mod check;
mod group_commit;
#[path = "../../src/pass_on.rs"]
mod pass_on;
mod slow;
mod transition_guard;
