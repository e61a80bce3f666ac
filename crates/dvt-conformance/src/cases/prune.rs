//! Cases about prune.
