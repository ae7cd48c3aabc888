//! Chunk stream (RTMP §5.3): messages cut into chunks that interleave, and back.
//!
//! Knows message boundaries and nothing of what messages mean, except that its owner tells it chunk sizes, aborts
//! and how long a message may be.

mod aggregate;
mod error;
mod header;
mod reader;
mod writer;

pub use aggregate::{Aggregate, AggregateError};
pub use error::ChunkError;
pub use reader::{ChunkReader, MessageLimits, ReaderStats, Skips};
pub use writer::write_message;

/// Chunk size of both directions until Set Chunk Size (RTMP §5.4.1).
pub const INITIAL_CHUNK_SIZE: u32 = 128;
/// Chunk streams of one connection. Encoders use up to 8; each costs about 100 bytes for as long as the connection.
pub const MAX_CHUNK_STREAMS: usize = 64;
/// Longest message: its length has 24 bits (RTMP §6.1.1).
pub const MAX_MESSAGE_LEN: u32 = 0xFF_FFFF;
/// Timestamp field that says "see the extended timestamp" (RTMP §5.3.1.3).
const EXTENDED: u32 = 0xFF_FFFF;
