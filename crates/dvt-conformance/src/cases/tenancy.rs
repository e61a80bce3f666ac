//! Cases about tenancy.
