//! What the Lambda functions do. Each handler reads: parse → decide → commit → answer. The binaries in `bin/` only wire.
//!
//! Handlers take ports, never SDK types, so that they run against the fakes of `headwater_domain::testing` as well.

pub mod api;
pub mod authorizer;
mod commit;
pub mod context;
mod date;
pub mod deployment;
pub mod hooks;
pub mod lifecycle;
pub mod playlist;
mod reply;
pub mod serve;
pub mod startup;

pub use reply::Problem;
