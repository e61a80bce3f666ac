//! Cases about model.
