//! Cases about expected.
