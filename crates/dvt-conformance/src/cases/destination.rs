//! Cases about destination.
