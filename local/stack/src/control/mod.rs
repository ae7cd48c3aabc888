//! Orders to a running stack from another process of the same user: a Unix socket in the data folder, which only its
//! owner can open. Must not know how commands are written on the command line.
//!
//! One connection is one command: a line of text, answered by `ok` or `error`, a line break, and text for a person.

mod client;
mod command;
mod execute;
mod server;

pub use client::{AskError, ask};
pub use command::{Command, CommandSyntax, SignalTarget, signal_from};
pub use server::{Control, ControlError};

use std::path::{Path, PathBuf};

/// Longest command, in bytes. An ARN has some 100.
const MAX_COMMAND: u64 = 4096;

/// Where the socket is.
fn socket(data: &Path) -> PathBuf {
    data.join("control.sock")
}
