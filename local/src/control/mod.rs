//! Orders to a running stack from another process of the same user: a Unix socket in the data folder, which only its
//! owner can open. Must not know how orders are written on the command line.
//!
//! One connection is one order: a line of text, answered by `ok` or `error`, a line break, and text for a person.

mod client;
mod execute;
mod order;
mod server;

pub use client::{AskError, ask};
pub use order::{Order, OrderSyntax, Target, signal_from};
pub use server::{Control, ControlError};

use std::path::{Path, PathBuf};

/// Longest order, in bytes. An ARN has some 100.
const MAX_ORDER: u64 = 4096;

/// Where the socket is.
fn socket(data: &Path) -> PathBuf {
    data.join("control.sock")
}
