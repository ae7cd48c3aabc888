//! Odd sources, as encoders really send them: each either plays right, or encoder and API are told in words.
//!
//! Every case goes over RTMP into the real gateway, through its source link into the real task with the real engine
//! ([`product`]); what was committed is judged by the ffmpeg command ([`judge`]). `make sources` prints the table and
//! writes docs/sources.md; `HEADWATER_SOURCE=text` runs the cases with that text in their names.
#![allow(clippy::unwrap_used, reason = "test code; clippy knows helpers of integration tests only by this")]
#![allow(clippy::print_stdout, reason = "the table is what is to be read")]
#![allow(unreachable_pub, reason = "helpers of one test binary")]

mod aac;
mod bits;
mod case;
mod clip;
mod control;
mod encoder;
mod families;
mod fields;
mod judge;
mod message;
mod mp4;
mod product;
