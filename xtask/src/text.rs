//! Reading texts: files, Rust sources, doc comments, manifests.

pub(crate) mod code;
pub(crate) mod docs;
pub(crate) mod files;
pub(crate) mod json;
pub(crate) mod manifest;
