use dvt_contracts::ErrorClass;

use crate::fault::Fault;

/// Why a store could not be opened.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct ConnectError(#[from] Fault);

impl ConnectError {
    /// What a caller should do.
    #[must_use]
    pub fn class(&self) -> ErrorClass {
        self.0.class()
    }
}
