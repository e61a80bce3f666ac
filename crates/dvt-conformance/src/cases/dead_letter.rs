//! Cases about dead_letter.
