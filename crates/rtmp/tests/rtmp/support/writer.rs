//! Chunks of every legal form, and of those illegal forms that encoders in the field send.

use std::collections::HashMap;

use headwater_rtmp::message::Message;

/// What a type 3 chunk repeats when the message has an extended timestamp.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Repeat {
    /// The field of the message's own header, as the specification has it.
    Field,
    /// The absolute time even where the header had a delta.
    Absolute,
    /// Nothing.
    Nothing,
}

#[derive(Clone, Copy)]
struct Last {
    timestamp: u32,
    field: u32,
    length: usize,
    type_id: u8,
    stream_id: u32,
}

/// The sending side of a chunk stream.
pub struct Writer {
    pub chunk_size: usize,
    pub repeat: Repeat,
    last: HashMap<u32, Last>,
}

impl Writer {
    pub fn new() -> Self {
        Self { chunk_size: 128, repeat: Repeat::Field, last: HashMap::new() }
    }

    /// The message's chunks, with a first header of type `wanted` or the next longer one that can express it.
    pub fn chunks(&mut self, chunk_stream: u32, message: &Message, wanted: u8) -> Vec<Vec<u8>> {
        let last = self.last.get(&chunk_stream).copied();
        let form = match last {
            None => 0,
            Some(last) if last.stream_id != message.stream_id => 0,
            Some(last) => {
                let delta = message.timestamp.wrapping_sub(last.timestamp);
                let same_shape = last.length == message.payload.len() && last.type_id == message.type_id;
                match (same_shape, delta == last.field) {
                    (true, true) => wanted,
                    (true, false) => wanted.min(2),
                    (false, _) => wanted.min(1),
                }
            }
        };
        let field = match (form, last) {
            (0, _) | (_, None) => message.timestamp,
            (_, Some(last)) => message.timestamp.wrapping_sub(last.timestamp),
        };
        self.last.insert(
            chunk_stream,
            Last {
                timestamp: message.timestamp,
                field,
                length: message.payload.len(),
                type_id: message.type_id,
                stream_id: message.stream_id,
            },
        );
        let mut first = basic_header(form, chunk_stream);
        let short = field.min(0xFF_FFFF).to_be_bytes();
        let length = u32::try_from(message.payload.len()).unwrap().to_be_bytes();
        if form < 3 {
            first.extend_from_slice(&short[1..]);
        }
        if form < 2 {
            first.extend_from_slice(&length[1..]);
            first.push(message.type_id);
        }
        if form < 1 {
            first.extend_from_slice(&message.stream_id.to_le_bytes());
        }
        // A type 3 header that starts a message stands for the whole header, extended timestamp included.
        if field >= 0xFF_FFFF && (form < 3 || self.repeat != Repeat::Nothing) {
            first.extend_from_slice(&field.to_be_bytes());
        }
        let mut pieces = message.payload.chunks(self.chunk_size);
        first.extend_from_slice(pieces.next().unwrap_or_default());
        let mut chunks = vec![first];
        for piece in pieces {
            let mut chunk = basic_header(3, chunk_stream);
            match self.repeat {
                Repeat::Field if field >= 0xFF_FFFF => chunk.extend_from_slice(&field.to_be_bytes()),
                Repeat::Absolute if field >= 0xFF_FFFF => {
                    chunk.extend_from_slice(&message.timestamp.to_be_bytes());
                }
                _ => {}
            }
            chunk.extend_from_slice(piece);
            chunks.push(chunk);
        }
        chunks
    }

    pub fn bytes(&mut self, chunk_stream: u32, message: &Message, wanted: u8) -> Vec<u8> {
        self.chunks(chunk_stream, message, wanted).concat()
    }
}

fn basic_header(form: u8, chunk_stream: u32) -> Vec<u8> {
    let form = form << 6;
    match chunk_stream {
        2..64 => vec![form | chunk_stream as u8],
        64..320 => vec![form, (chunk_stream - 64) as u8],
        320..65_600 => {
            let id = chunk_stream - 64;
            vec![form | 1, (id & 0xFF) as u8, (id >> 8) as u8]
        }
        _ => panic!("no such chunk stream"),
    }
}
