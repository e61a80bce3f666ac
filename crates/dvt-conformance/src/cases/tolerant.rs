//! Cases about tolerant.
