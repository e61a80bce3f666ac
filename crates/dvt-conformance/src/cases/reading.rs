//! Cases about reading.
