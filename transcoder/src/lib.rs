//! The media container: one image, two commands.
//!
//! [`gateway`] terminates RTMP and keeps what is not committed yet; [`run`] is one transcoder task; [`media`] is the
//! engine that it drives, the only place that names ffmpeg.

pub mod gateway;
pub mod media;
pub mod run;
