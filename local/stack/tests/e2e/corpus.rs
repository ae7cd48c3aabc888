//! The modules of the corpus of odd sources that are of use end to end.
#![allow(dead_code, unreachable_pub, reason = "shared with transcoder/tests/sources")]

#[path = "../../../../transcoder/tests/sources/clip.rs"]
pub mod clip;
#[path = "../../../../transcoder/tests/sources/encoder.rs"]
pub mod encoder;
#[path = "../../../../transcoder/tests/sources/judge.rs"]
pub mod judge;
#[path = "../../../../transcoder/tests/sources/message.rs"]
pub mod message;
