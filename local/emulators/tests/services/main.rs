//! The stand-ins from outside: the real AWS SDK and real programs against each service.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail the test")]

mod deadlines;
mod dynamodb;
mod ecs;
mod edge;
mod faults;
mod http_api;
mod lambda;
mod process;
mod replication;
mod s3;
mod secrets_manager;
mod site;
mod support;
