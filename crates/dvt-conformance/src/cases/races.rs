//! Cases about races.
