//! The functions as Lambda runs them: the sample events of `events/` go in, answers are read as a client reads them.
//! Tables and clusters are the written fakes.

#![allow(clippy::unwrap_used, unreachable_pub, missing_docs)] // helpers of tests are tests

mod support;

mod api_broadcasts;
mod api_errors;
mod api_idempotency;
mod api_keys;
mod api_moves;
mod api_races;
mod api_streams;
mod deployment_answers;
mod deployment_gateway;
mod deployment_peer;
mod deployment_site;
mod events;
mod hooks_claims;
mod hooks_cold;
mod hooks_handover;
mod hooks_hostile;
mod hooks_late;
mod hooks_orders;
mod hooks_publish;
mod hostile;
mod lifecycle;
mod openapi;
mod openapi_bodies;
mod openapi_text;
mod playlist_forks;
mod playlist_gaps;
mod playlist_http;
mod playlist_low_latency;
mod playlist_media;
mod playlist_monotone;
mod playlist_recordings;
mod playlist_source_problem;
mod playlist_strangers;
mod playlist_waits;
mod revalidation;
mod secrecy;
mod sweep;
