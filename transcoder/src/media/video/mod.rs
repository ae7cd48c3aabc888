//! Renditions of pictures: the source's own packets, copied, and a chain of encoded ones, each on a thread of its own.

pub(super) mod copy;
pub(super) mod encode;
pub(super) mod gop;
mod h264;
pub(super) mod rungs;
mod scale;
pub(super) mod x264;
