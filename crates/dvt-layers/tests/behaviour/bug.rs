//! A store with one planted bug in what it does about appends.

use dvt_conformance::async_trait;
use dvt_contracts::*;

use crate::pass_on::passes_on;

pub(crate) type Replies = Result<Vec<Result<AppendOutcome, AppendError>>, StoreError>;

/// What is done instead of passing on a call.
#[async_trait]
pub(crate) trait Bug: std::fmt::Debug + Send + Sync {
    async fn append(&self, below: &dyn Store, requests: &[AppendRequest]) -> Replies {
        below.append_batch(requests).await
    }
    async fn bootstrap(
        &self,
        below: &dyn Store,
        request: &BootstrapRequest,
    ) -> Result<BootstrapOutcome, StoreError> {
        below.bootstrap_run(request).await
    }
}

/// Above or below a layer.
#[derive(Debug)]
pub(crate) struct With<S> {
    bug: Box<dyn Bug>,
    store: S,
}

impl<S: Store + 'static> With<S> {
    pub(crate) fn new(bug: impl Bug + 'static, store: S) -> Self {
        let bug = Box::new(bug);
        Self { bug, store }
    }

    fn store(&self) -> &S {
        &self.store
    }

    async fn append(&self, requests: &[AppendRequest]) -> Replies {
        self.bug.append(&self.store, requests).await
    }

    async fn bootstrap(&self, request: &BootstrapRequest) -> Result<BootstrapOutcome, StoreError> {
        self.bug.bootstrap(&self.store, request).await
    }
}

passes_on!(With);
