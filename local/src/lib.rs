//! The infrastructure stand-ins of the local stack.
//!
//! Every module speaks one AWS protocol (or runs one real program) on the loopback interface, so that the real
//! binaries and the real AWS SDK work against it unchanged. They do not know what a stream or a broadcast is;
//! what is started with which settings is decided by the wiring in [`stack`].

pub mod calls;
pub mod control;
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
pub mod stack;

mod clock;
mod random;
