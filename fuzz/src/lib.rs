//! Drives fuzz entries without help of the compiler: inputs of a corpus, cut short and changed, for so many rounds or so
//! many seconds, with a limit on the memory that each may take.
//!
//! It knows nothing of what it drives. The entries are in `tests/fuzz`; `libfuzzer/` drives the same ones by coverage
//! where a nightly toolchain and cargo-fuzz are at hand. An input that breaks an entry is written down; put it into
//! `corpus/<target>` with the repair.

mod corpus;
mod mutate;
mod run;

pub use run::{Found, Plan, Target, run};
