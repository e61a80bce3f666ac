//! Cases about checkpoint.
