use dvt_contracts::{InvalidProviderRef, ProviderRef};
use serde::{Deserialize, Serialize};

/// A [`ProviderRef`], which checks its parts and so has no public fields.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(try_from = "Parts", into = "Parts")]
pub(crate) struct ProviderRow(ProviderRef);

#[derive(Serialize, Deserialize)]
struct Parts {
    provider: String,
    namespace: Option<String>,
    workflow_id: String,
    run_id: Option<String>,
}

impl ProviderRow {
    pub(crate) fn new(provider_ref: ProviderRef) -> Self {
        Self(provider_ref)
    }

    pub(crate) fn into_inner(self) -> ProviderRef {
        self.0
    }
}

impl TryFrom<Parts> for ProviderRow {
    type Error = InvalidProviderRef;
    fn try_from(parts: Parts) -> Result<Self, InvalidProviderRef> {
        ProviderRef::new(
            &parts.provider,
            parts.namespace.as_deref(),
            &parts.workflow_id,
            parts.run_id.as_deref(),
        )
        .map(Self)
    }
}

impl From<ProviderRow> for Parts {
    fn from(ProviderRow(provider_ref): ProviderRow) -> Self {
        Self {
            provider: provider_ref.provider().to_owned(),
            namespace: provider_ref.namespace().map(str::to_owned),
            workflow_id: provider_ref.workflow_id().to_owned(),
            run_id: provider_ref.run_id().map(str::to_owned),
        }
    }
}
