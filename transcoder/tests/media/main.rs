//! The media engine: FLV in, segments out, judged by their bytes and by what FFmpeg decodes of them.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod clocks;
mod copy;
mod enhanced;
mod formats;
mod overload;
mod parts;
mod resume;
mod segments;
mod sources;
mod support;
mod sync;
mod times;
