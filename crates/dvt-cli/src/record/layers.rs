use std::num::NonZeroUsize;
use std::sync::Arc;

use dvt_contracts::Store;
use dvt_layers::{GroupCommit, TransitionGuard};

/// How many states a strict recording keeps. A state of a thousand steps and ten thousand keys takes about half a megabyte.
const STATES: NonZeroUsize = NonZeroUsize::new(64).unwrap();

/// The store that a recording appends to; with `strict` one that refuses what the transition table does not allow.
pub(crate) fn layered(store: Arc<dyn Store>, strict: bool) -> Arc<dyn Store> {
    let together = GroupCommit::new(store);
    match strict {
        true => Arc::new(TransitionGuard::with_capacity(together, STATES)),
        false => Arc::new(together),
    }
}
