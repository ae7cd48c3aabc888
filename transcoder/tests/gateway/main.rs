//! The gateway from outside: real encoders and crafted bytes on one side, an HTTP reader on the other, and a control
//! plane that records what it is asked.
#![allow(clippy::unwrap_used, reason = "test code; clippy knows helpers of integration tests only by this")]

mod disk;
mod drains;
mod ends;
mod enhanced;
mod fence;
mod foreign;
mod health;
mod hooks;
mod hostile;
mod load;
#[path = "../media/support/mod.rs"]
mod media_support;
mod odd;
mod peer;
mod program;
mod protection;
mod publish;
mod refusals;
mod resume;
mod rtmp_client;
mod runs;
mod source;
mod support;
mod tls;
