//! How the types of the contract are written as JSON. The contract says nothing about storage, so each adapter has
//! something like this: here rows, there columns. Reading checks everything: a damaged file gives an error, not a value.

mod checkpoint;
mod dead_letter;
pub(crate) mod events;
mod metadata;
mod note;
mod provider;
mod retarget;
pub(crate) mod runs;

pub(crate) use self::checkpoint::CheckpointRow;
pub(crate) use self::dead_letter::{DeadLetterRow, ResolutionRow};
pub(crate) use self::metadata::{KeyRow, MetadataRow};
pub(crate) use self::note::NoteRow;
pub(crate) use self::provider::ProviderRow;
pub(crate) use self::retarget::RetargetRow;
