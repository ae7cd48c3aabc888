//! The media container: one image, two commands.
//!
//! [`gateway`] terminates RTMP and keeps what is not committed yet; [`run`] is one transcoder task; [`media`] is the
//! engine that it drives, the only place that names ffmpeg. [`ecs`] is what ECS offers inside a task; [`health`] asks a
//! gateway how it is.

pub mod ecs;
pub mod gateway;
pub mod health;
pub mod media;
mod metrics;
pub mod task;
