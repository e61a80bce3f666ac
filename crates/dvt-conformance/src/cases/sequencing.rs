//! Cases about sequencing.
