#![doc = include_str!("../../../README.md")]
//! The workspace's README, whose examples compile and run here: the only crate that has all they need.
