//! Cases about pending.
