//! What can be wrong with a chunk stream.

use super::MAX_CHUNK_STREAMS;
use crate::message::type_id;

/// Why a chunk stream cannot be read on. None of these can be recovered from: where the next chunk starts is lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ChunkError {
    /// A type 2 or 3 header on a chunk stream that had no message to take the rest from.
    #[error("chunk stream {0} starts with a header that refers to an earlier one")]
    NoEarlierHeader(u32),
    /// A type 0, 1 or 2 header while a message of the same chunk stream is incomplete.
    #[error("chunk stream {0} starts a message inside a message")]
    HeaderInsideMessage(u32),
    /// More chunk streams than any encoder uses.
    #[error("more than {MAX_CHUNK_STREAMS} chunk streams")]
    TooManyChunkStreams,
    /// A message longer than its type may be in this state.
    #[error("{} message of {length} bytes, at most {limit} allowed", described(*type_id))]
    MessageTooLong {
        /// Announced length, bytes.
        length: u32,
        /// Message type.
        type_id: u8,
        /// What was allowed, bytes.
        limit: u32,
    },
    /// Incomplete messages of all chunk streams together hold too much.
    #[error("incomplete messages of more than {limit} bytes")]
    TooMuchBuffered {
        /// What was allowed, bytes.
        limit: usize,
    },
    /// Set Chunk Size outside 1..=2³¹−1 (RTMP §5.4.1).
    #[error("chunk size {0} is not between 1 and 2147483647")]
    ChunkSize(u32),
}

fn described(type_id: u8) -> String {
    type_id::name(type_id).map_or_else(|| format!("unknown (type {type_id})"), str::to_owned)
}
