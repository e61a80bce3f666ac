//! What `load_state` and `read_state` ask of a store: on the memory store, where calls can be counted.
#![expect(clippy::unwrap_used, reason = "a broken fixture must fail the test")]

mod counting;
mod history;
mod loading;
mod long_run;
