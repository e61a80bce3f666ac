//! Cases about lease.
