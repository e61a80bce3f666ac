//! Cases about bootstrap.
