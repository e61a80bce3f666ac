use crate::identifier::{EnvironmentId, PlanId, PlanVersion, ProjectId};
use crate::identifier::{InvalidIdentifier, check_text};
use crate::limits::MAX_IDENTIFIER_BYTES;

/// What a run is a run of. Fixed when the run is bootstrapped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunMetadata {
    /// The project.
    pub project_id: ProjectId,
    /// The environment.
    pub environment_id: EnvironmentId,
    /// The plan.
    pub plan_id: PlanId,
    /// The version of the plan.
    pub plan_version: PlanVersion,
}

/// Where the provider that executes a run knows it, such as a Temporal workflow.
///
/// Each part has 1 to [`MAX_IDENTIFIER_BYTES`] bytes and no control characters; `|` is allowed, since
/// the provider chose the names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProviderRef {
    provider: String,
    namespace: Option<String>,
    workflow_id: String,
    run_id: Option<String>,
}

/// A part of a [`ProviderRef`] that breaks the rule for its text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("provider reference: {0}")]
pub struct InvalidProviderRef(#[from] InvalidIdentifier);

impl ProviderRef {
    /// Checks the parts and joins them.
    ///
    /// # Errors
    /// [`InvalidProviderRef`] names the part and the rule that it breaks.
    pub fn new(
        provider: &str,
        namespace: Option<&str>,
        workflow_id: &str,
        run_id: Option<&str>,
    ) -> Result<Self, InvalidProviderRef> {
        let checked = |kind, text: &str| {
            check_text(kind, text, MAX_IDENTIFIER_BYTES, |_| false).map(|()| text.to_owned())
        };
        Ok(Self {
            provider: checked("provider", provider)?,
            namespace: namespace
                .map(|text| checked("namespace", text))
                .transpose()?,
            workflow_id: checked("workflow id", workflow_id)?,
            run_id: run_id
                .map(|text| checked("provider's run id", text))
                .transpose()?,
        })
    }

    /// The provider, such as `temporal`.
    #[must_use]
    pub fn provider(&self) -> &str {
        &self.provider
    }

    /// The provider's namespace.
    #[must_use]
    pub fn namespace(&self) -> Option<&str> {
        self.namespace.as_deref()
    }

    /// The workflow's id.
    #[must_use]
    pub fn workflow_id(&self) -> &str {
        &self.workflow_id
    }

    /// The provider's own run id.
    #[must_use]
    pub fn run_id(&self) -> Option<&str> {
        self.run_id.as_deref()
    }
}
