//! The media container: one image, two commands.
//!
//! [`gateway`] terminates RTMP and keeps what is not committed yet; [`run`] is one transcoder task; [`media`] is the
//! engine that it drives, the only place that names ffmpeg. [`ecs`] is what ECS offers inside a task.

pub mod ecs;
pub mod gateway;
pub mod media;
mod metrics;
pub mod run;
