//! Chunk headers (RTMP §5.3.1), parsed from contiguous bytes.

use super::EXTENDED;

/// Longest header, bytes: 3 basic, 11 message, 4 extended timestamp.
pub(super) const MAX_HEADER_LEN: usize = 3 + 11 + 4;

/// The basic header and as much of the message header as the type sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) chunk_stream: u32,
    pub(super) fields: Fields,
    /// Whether an extended timestamp was there. Its value does not tell: some senders extend small ones.
    pub(super) extended: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fields {
    Full { timestamp: u32, length: u32, type_id: u8, stream_id: u32 },
    SameStream { delta: u32, length: u32, type_id: u8 },
    SameLength { delta: u32 },
    Same,
}

/// Finishes a type 3 header: an encoder may or may not repeat the extended timestamp there.
pub(super) enum Repeat {
    Length(usize),
    NeedMore,
}

/// The header at the front of `bytes` and its length, or `None` while it is incomplete. A type 3 header ends here at
/// its basic header; see [`repeated_timestamp`].
pub(super) fn parse(bytes: &[u8]) -> Option<(Header, usize)> {
    let (chunk_stream, basic) = basic(bytes)?;
    let rest = bytes.get(basic..)?;
    let (fields, plain, extended) = match bytes[0] >> 6 {
        0 => {
            let head: &[u8; 11] = rest.first_chunk()?;
            let (timestamp, extended) = timestamp(head, rest.get(11..)?)?;
            let fields = Fields::Full {
                timestamp,
                length: u24(&head[3..6]),
                type_id: head[6],
                stream_id: u32::from_le_bytes([head[7], head[8], head[9], head[10]]),
            };
            (fields, 11, extended)
        }
        1 => {
            let head: &[u8; 7] = rest.first_chunk()?;
            let (delta, extended) = timestamp(head, rest.get(7..)?)?;
            (Fields::SameStream { delta, length: u24(&head[3..6]), type_id: head[6] }, 7, extended)
        }
        2 => {
            let head: &[u8; 3] = rest.first_chunk()?;
            let (delta, extended) = timestamp(head, rest.get(3..)?)?;
            (Fields::SameLength { delta }, 3, extended)
        }
        _ => (Fields::Same, 0, 0),
    };
    Some((Header { chunk_stream, fields, extended: extended > 0 }, basic + plain + extended))
}

/// How many bytes of repeated extended timestamp follow a type 3 basic header: 4 or 0. RTMP §5.3.1.3 wants it
/// repeated; some encoders leave it out, others repeat the absolute time where the header had a delta. So the bytes
/// are compared with what could be repeated, and taken for payload as soon as they differ.
pub(super) fn repeated_timestamp(following: &[u8], candidates: [u32; 2]) -> Repeat {
    let seen = &following[..following.len().min(4)];
    if candidates.iter().all(|candidate| !candidate.to_be_bytes().starts_with(seen)) {
        return Repeat::Length(0);
    }
    if seen.len() < 4 { Repeat::NeedMore } else { Repeat::Length(4) }
}

fn basic(bytes: &[u8]) -> Option<(u32, usize)> {
    Some(match bytes.first()? & 0x3F {
        0 => (64 + u32::from(*bytes.get(1)?), 2),
        1 => (64 + u32::from(*bytes.get(1)?) + 256 * u32::from(*bytes.get(2)?), 3),
        id => (id.into(), 1),
    })
}

fn timestamp(head: &[u8], following: &[u8]) -> Option<(u32, usize)> {
    match u24(&head[..3]) {
        EXTENDED => Some((u32::from_be_bytes(*following.first_chunk()?), 4)),
        short => Some((short, 0)),
    }
}

fn u24(bytes: &[u8]) -> u32 {
    bytes.iter().take(3).fold(0, |number, &byte| number << 8 | u32::from(byte))
}
