//! The only user of aws-sdk-*: adapters for the ports of the domain.
//!
//! [`table::Table`] is the single DynamoDB table, [`media::Buckets`] the media buckets of both regions,
//! [`tasks::Cluster`] ECS, [`hooks::HookClient`] our own API as gateway and transcoder call it. Environment variables
//! are read in [`settings`] only; [`metrics`] says where measurements go.

mod error;
pub mod hooks;
pub mod media;
pub mod metrics;
pub mod schema;
pub mod settings;
pub mod table;
pub mod tasks;
