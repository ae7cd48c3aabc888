//! FLV tags, one after the other, from a stream of bytes.

use std::io::{self, Read};

use headwater_rtmp::flv::{TAG_HEADER_LEN, TAG_TRAILER_LEN, TagHead, TagKind};

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
    let Some(head) = TagHead::read(&header) else { return Ok(None) };
    let kind = head.kind().ok_or(io::ErrorKind::InvalidData)?;
    let Some(mut body) = read_bytes(reader, head.body_len + TAG_TRAILER_LEN)? else { return Ok(None) };
    body.truncate(head.body_len);
    Ok(Some(Tag { kind, millis: head.timestamp_ms, cursor_bits: head.stream_id, body }))
}

/// That many bytes, or `None` if there are fewer. Takes memory for what comes, not for what is announced.
pub(super) fn read_bytes(reader: &mut impl Read, count: usize) -> io::Result<Option<Vec<u8>>> {
    let mut bytes = Vec::new();
    reader.take(count as u64).read_to_end(&mut bytes)?;
    Ok((bytes.len() == count).then_some(bytes))
}
