//! FLV tags, one after the other, from a stream of bytes.

use std::io::{self, Read};

use headwater_rtmp::flv::{TAG_HEADER_LEN, TAG_TRAILER_LEN};

/// What kinds of tag there are (FLV 10.1 §E.4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TagKind {
    Audio,
    Video,
    Script,
}

impl TagKind {
    pub(super) fn from_type(byte: u8) -> Option<Self> {
        match byte {
            8 => Some(Self::Audio),
            9 => Some(Self::Video),
            18 => Some(Self::Script),
            _ => None,
        }
    }
}

/// One tag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Tag {
    pub(crate) kind: TagKind,
    pub(crate) millis: u32,
    /// StreamID: the low bits of the gateway's cursor.
    pub(crate) cursor_bits: u32,
    /// At most 16 MiB: its size has 24 bits.
    pub(crate) body: Vec<u8>,
}

/// The next tag; `None` at the end, even if it comes in the middle of a tag.
///
/// # Errors
/// Those of `reader`, and `InvalidData` for what is no tag.
pub(super) fn read_tag(reader: &mut impl Read) -> io::Result<Option<Tag>> {
    let Some(header) = read_bytes(reader, TAG_HEADER_LEN)? else { return Ok(None) };
    let number = |from: usize| u32::from_be_bytes([0, header[from], header[from + 1], header[from + 2]]);
    let kind = TagKind::from_type(header[0]).ok_or(io::ErrorKind::InvalidData)?;
    let size = number(1) as usize;
    let Some(mut body) = read_bytes(reader, size + TAG_TRAILER_LEN)? else { return Ok(None) };
    body.truncate(size);
    Ok(Some(Tag { kind, millis: u32::from(header[7]) << 24 | number(4), cursor_bits: number(8), body }))
}

/// That many bytes, or `None` if there are fewer. Takes memory for what comes, not for what is announced.
pub(super) fn read_bytes(reader: &mut impl Read, count: usize) -> io::Result<Option<Vec<u8>>> {
    let mut bytes = Vec::new();
    reader.take(count as u64).read_to_end(&mut bytes)?;
    Ok((bytes.len() == count).then_some(bytes))
}
