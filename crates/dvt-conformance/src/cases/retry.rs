//! Cases about retry.
