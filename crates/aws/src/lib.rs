//! The only user of aws-sdk-*: adapters for the ports of the domain.
//!
//! [`table::Table`] is the single DynamoDB table, [`media::Buckets`] the media buckets of both regions,
//! [`tasks::Clusters`] ECS, [`hooks::HookClient`] our own API as gateway and transcoder call it, [`secrets::Secrets`]
//! what functions must not have in their environment, [`peer::KnownPeer`] the other region while it comes and goes. For the
//! deployment itself: [`apis::Apis`] finds the other region, [`site::Site`] keeps the player page, [`callback::Callback`]
//! answers CloudFormation. Environment variables are read in [`settings`] only; how long calls may take is in [`deadlines`]; [`metrics`] says where measurements go, [`clock`] what time it is.

#![warn(missing_docs, reason = "strangers read the libraries' rustdoc; programs are read in their source")]

pub mod apis;
pub mod callback;
pub mod clock;
pub mod deadlines;
mod error;
pub mod hooks;
mod https;
pub mod media;
pub mod metrics;
pub mod peer;
pub mod schema;
pub mod secrets;
pub mod settings;
pub mod site;
pub mod table;
pub mod tasks;
