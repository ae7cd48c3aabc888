//! What strangers may do to a gateway: the real program, attacked over sockets, with a stream beside the attack that must
//! come through byte for byte.
//!
//! Bounds are read from /proc of the program (CPU time, memory, descriptors) and from what it asked its control plane; ends
//! are events (a connection was closed, an answer came). Strangers come from 127.0.0.2 and up, where each is an address.
//! docs/failures.md lists attacks and figures; `--nocapture` prints this machine's.
#![allow(clippy::print_stdout, reason = "figures, for who asks for them")]

pub(crate) mod bystander;
mod floods;
mod guessing;
pub(crate) mod harness;
mod injection;
mod messages;
mod slow;
mod sources;
mod strangers;
