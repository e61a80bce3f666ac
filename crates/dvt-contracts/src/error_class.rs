use std::sync::Arc;

/// Any error, on its way into a port's error.
pub type BoxError = Box<dyn std::error::Error + Send + Sync + 'static>;

/// The cause below an error of a port, as the adapter saw it. Shared, so that one failure can be told to many callers.
///
/// `source()` of a port's error gives this pointer: whoever looks for a concrete type behind it asks
/// `source.downcast_ref::<SharedError>()` first.
pub type SharedError = Arc<dyn std::error::Error + Send + Sync + 'static>;

/// What a caller should do about an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorClass {
    /// The call itself is wrong, or the store is not set up for it: fix that. Nothing happened.
    Caller,
    /// The run, or the dead letter, is not there for this tenant. Nothing happened.
    NotFound,
    /// The store holds something else than the call assumed: read again and decide. Nothing happened.
    Conflict,
    /// Nothing happened, and the same call may succeed later: retry with back-off.
    Transient,
    /// It may have happened: the connection broke, or the deadline passed, after the statement left.
    /// Repeat the same call with the same keys or lease, which is safe.
    Unknown,
    /// The store broke its own rules. Nothing that a caller can repair.
    Bug,
}
