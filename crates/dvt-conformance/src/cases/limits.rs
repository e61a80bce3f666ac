//! Cases about limits.
