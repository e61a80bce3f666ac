#![doc = include_str!("../README.md")]

mod append;
mod append_error;
mod attempt;
mod checkpoint;
mod claim;
mod dead_letter;
mod destination;
mod error_class;
mod event;
mod event_id;
mod event_type;
mod forward;
mod idempotency_key;
mod identifier;
mod invalid_call;
mod lease;
mod limits;
mod metadata;
mod outbox;
mod outbox_error;
mod outbox_ext;
mod payload;
mod pending;
mod reading;
mod retry_policy;
mod run_key;
mod run_state;
mod run_status;
mod safe_text;
mod sink;
mod store;
mod store_error;
mod store_ext;
mod timestamp;
mod transition;

pub use self::append::{
    AppendOutcome, AppendRequest, Appended, BootstrapOutcome, BootstrapRequest, ConflictPolicy,
    Disposition, Expected,
};
pub use self::append_error::AppendError;
pub use self::attempt::{Attempt, InvalidAttempt};
pub use self::checkpoint::{CHECKPOINT_EVERY, Checkpoint, FOLD_VERSION, SaveOutcome};
pub use self::claim::{ClaimRequest, ClaimedRun};
pub use self::dead_letter::{
    DeadLetter, DeadLetterCause, DeadLetterQuery, OperatorNote, Resolution, ResolutionKind,
};
pub use self::destination::Destination;
pub use self::error_class::{BoxError, ErrorClass, SharedError};
pub use self::event::{Event, InvalidEvent, RunEvent};
pub use self::event_id::EventId;
pub use self::event_type::EventType;
pub use self::idempotency_key::{IdempotencyKey, KeyParts};
pub use self::identifier::{
    EnvironmentId, EventName, InvalidIdentifier, PlanId, PlanVersion, ProjectId, RunId, StepId,
    TenantId,
};
pub use self::invalid_call::InvalidCall;
pub use self::lease::{Acknowledgement, FailOutcome, Lease, LeaseError, LeaseToken};
pub use self::limits::*;
pub use self::metadata::{InvalidProviderRef, ProviderRef, RunMetadata};
pub use self::outbox::OutboxStorage;
pub use self::outbox_error::OutboxError;
pub use self::outbox_ext::OutboxStorageExt;
pub use self::payload::{InvalidPayload, Payload, PayloadFault};
pub use self::pending::{OutboxStats, PendingQuery, PendingRun, PendingState, Retarget};
pub use self::reading::{EventPage, PruneOutcome, RunQuery, RunRecord};
pub use self::retry_policy::{InvalidRetryPolicy, Jitter, OnExhausted, RetryPolicy};
pub use self::run_key::RunKey;
pub use self::run_state::{
    Anomaly, AnomalyKind, IllegalTransition, Rule, RunState, StepState, StepStatus,
};
pub use self::run_status::{InvalidRunStatus, RunStatus};
pub use self::safe_text::SafeText;
pub use self::sink::{EventSink, Published, Stop};
pub use self::store::{RunStateStore, Store};
pub use self::store_error::StoreError;
pub use self::store_ext::RunStateStoreExt;
pub use self::timestamp::{InvalidTimestamp, Timestamp};
pub use self::transition::{Extra, TRANSITIONS, Transition, status_after, transition};
