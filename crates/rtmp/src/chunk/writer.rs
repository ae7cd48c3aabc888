//! Messages out, chunks in the simplest legal form: a type 0 header, then type 3.

use bytes::{BufMut, BytesMut};

use super::{EXTENDED, MAX_MESSAGE_LEN};
use crate::message::Message;

/// Appends a message as chunks of at most `chunk_size` bytes on chunk stream `chunk_stream` (2..=63).
///
/// # Panics
/// When the payload is longer than a message can be, or the chunk stream id is out of range: a server's own messages
/// are a few hundred bytes on fixed chunk streams.
pub fn write_message(out: &mut BytesMut, chunk_stream: u8, chunk_size: u32, message: &Message) {
    assert!((2..64).contains(&chunk_stream), "chunk stream ids of one byte");
    let length = u32::try_from(message.payload.len()).unwrap_or(u32::MAX);
    assert!(length <= MAX_MESSAGE_LEN, "a message's length has 24 bits");
    let extended = message.timestamp >= EXTENDED;
    out.reserve(message.payload.len() + 16);
    out.put_u8(chunk_stream);
    out.put_uint(message.timestamp.min(EXTENDED).into(), 3);
    out.put_uint(length.into(), 3);
    out.put_u8(message.type_id);
    out.put_u32_le(message.stream_id);
    if extended {
        out.put_u32(message.timestamp);
    }
    for (index, chunk) in message.payload.chunks(chunk_size.max(1) as usize).enumerate() {
        if index > 0 {
            out.put_u8(0xC0 | chunk_stream);
            if extended {
                out.put_u32(message.timestamp);
            }
        }
        out.put_slice(chunk);
    }
}
