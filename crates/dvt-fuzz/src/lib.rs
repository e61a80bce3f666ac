#![doc = include_str!("../README.md")]

mod damage;
mod fuzz;

pub use self::fuzz::fuzz;
