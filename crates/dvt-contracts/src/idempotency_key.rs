use std::fmt;
use std::fmt::Write as _;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::attempt::Attempt;
use crate::event_type::EventType;
use crate::identifier::{
    InvalidIdentifier, PlanId, PlanVersion, RunId, StepId, check_text, text_type,
};
use crate::limits::MAX_IDENTIFIER_BYTES;

text_type! {
    /// Makes an append safe to repeat: within a run, one key is one event, for ever.
    ///
    /// Any caller-chosen text of 1 to [`MAX_IDENTIFIER_BYTES`] bytes without control characters
    /// (`|` is allowed), or the key derived from an event's coordinates ([`KeyParts::derive`]).
    /// Compared byte by byte.
    IdempotencyKey,
    |text| check_text("idempotency key", text, MAX_IDENTIFIER_BYTES, |_| false)
}

/// The coordinates of an event that its derived key is made of.
///
/// ```
/// use dvt_contracts::{Attempt, EventType, KeyParts};
///
/// let key = KeyParts {
///     run_id: &"run-1".parse()?,
///     step_id: None,
///     logical_attempt: Attempt::FIRST,
///     event_type: &EventType::RunStarted,
///     plan_id: &"plan".parse()?,
///     plan_version: &"1".parse()?,
///     occurrence: 1,
/// }
/// .derive();
/// assert_eq!(
///     key.as_str(),
///     "84aa85852bafcae757b6f28bd8679cff89fb8b398bc8e3a5b4a4a798576ac327"
/// );
/// # Ok::<(), dvt_contracts::InvalidIdentifier>(())
/// ```
#[derive(Debug, Clone, Copy)]
pub struct KeyParts<'a> {
    /// The run.
    pub run_id: &'a RunId,
    /// The step; `None` is written as `RUN`.
    pub step_id: Option<&'a StepId>,
    /// The engine's attempt.
    pub logical_attempt: Attempt,
    /// The event's type.
    pub event_type: &'a EventType,
    /// The plan.
    pub plan_id: &'a PlanId,
    /// The plan's version.
    pub plan_version: &'a PlanVersion,
    /// 1 for the first event at these coordinates; a second pause in one attempt is 2.
    /// 0 counts as 1.
    pub occurrence: u32,
}

impl KeyParts<'_> {
    /// The derived key: lower-case hex SHA-256 of
    /// `run_id|step_id or RUN|logical_attempt|event_type|plan_id|plan_version`, in UTF-8 with a literal
    /// `|`, no trimming, no case folding, and `|occurrence` appended from the second occurrence on.
    ///
    /// Identifiers cannot hold a `|`, so two sets of coordinates never share a key.
    #[must_use]
    pub fn derive(&self) -> IdempotencyKey {
        let mut text = format!(
            "{}|{}|{}|{}|{}|{}",
            self.run_id,
            self.step_id.map_or("RUN", StepId::as_str),
            self.logical_attempt,
            self.event_type,
            self.plan_id,
            self.plan_version,
        );
        if self.occurrence > 1 {
            // Writing to a String cannot fail.
            let _ = write!(text, "|{}", self.occurrence);
        }
        IdempotencyKey(lower_hex(&Sha256::digest(text)).into())
    }
}

pub(crate) fn lower_hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}
