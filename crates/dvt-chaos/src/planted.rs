//! Bugs that are planted on purpose.
