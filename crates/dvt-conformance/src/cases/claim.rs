//! Cases about claim.
