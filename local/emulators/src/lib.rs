//! Stand-ins for AWS's services on one machine.
//!
//! Every module speaks one AWS protocol (or runs one real program) on the loopback interface, so that the real
//! binaries and the real AWS SDK work against it unchanged. This crate stands on none of ours: it does not know what a
//! stream or a broadcast is. What is started with which settings is decided by the wiring in `headwater-local`.

pub mod calls;
pub mod credentials;
pub mod dynamodb;
pub mod ecs;
pub mod edge;
pub mod fault;
pub mod http_api;
pub mod lambda;
pub mod listen;
pub mod ports;
pub mod process;
pub mod s3;
pub mod secrets_manager;

pub mod clock;
mod random;
