//! FLV files (FLV 10.1 annex E): header and tags, written so that a body need not be copied.
//!
//! RTMP payloads are FLV tag bodies already. The stream id of a tag, 24 bits that are 0 in files and that readers
//! ignore, can carry the low bits of a sender's own numbering.
//!
//! ```
//! use bytes::BytesMut;
//! use headwater_rtmp::MediaKind;
//! use headwater_rtmp::flv::{TagHead, TagKind, file_header, write_tag};
//!
//! let mut file = BytesMut::from(&file_header(true, false)[..]);
//! let start = file.len();
//! write_tag(&mut file, TagKind::Media(MediaKind::Audio), 40, 7, &[0xAF, 1, 0x21]).expect("it is short");
//!
//! let head = TagHead::read(&file[start..]).expect("it is whole");
//! assert_eq!((head.type_id, head.timestamp_ms, head.stream_id, head.body_len), (8, 40, 7, 3));
//! assert_eq!(head.kind(), Some(TagKind::Media(MediaKind::Audio)));
//! assert_eq!(start + head.tag_len(), file.len());
//! ```

use bytes::{BufMut, Bytes, BytesMut};

use crate::amf::{self, Value};
use crate::message::{MediaKind, type_id};

/// Bytes of a file header together with the first back pointer.
pub const FILE_HEADER_LEN: usize = 13;
/// Bytes before a tag's body.
pub const TAG_HEADER_LEN: usize = 11;
/// Bytes after a tag's body: its back pointer.
pub const TAG_TRAILER_LEN: usize = 4;
/// Longest body: its size has 24 bits.
pub const MAX_BODY_LEN: usize = 0xFF_FFFF;

/// A body that does not fit a tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("body of {0} bytes does not fit an flv tag")]
pub struct BodyTooLong(pub usize);

/// What a tag carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TagKind {
    /// Audio or video.
    Media(MediaKind),
    /// Script data, such as `onMetaData`.
    Script,
}

impl TagKind {
    fn of(type_id: u8) -> Option<Self> {
        match type_id {
            type_id::AUDIO => Some(Self::Media(MediaKind::Audio)),
            type_id::VIDEO => Some(Self::Media(MediaKind::Video)),
            type_id::DATA_AMF0 => Some(Self::Script),
            _ => None,
        }
    }
}

/// The start of a file, with the back pointer of "tag 0".
#[must_use]
pub fn file_header(has_audio: bool, has_video: bool) -> [u8; FILE_HEADER_LEN] {
    let flags = u8::from(has_audio) << 2 | u8::from(has_video);
    [b'F', b'L', b'V', 1, flags, 0, 0, 0, 9, 0, 0, 0, 0]
}

/// A tag without its body: header before, back pointer after. `stream_id` keeps its low 24 bits.
///
/// # Errors
/// When the body is longer than [`MAX_BODY_LEN`].
pub fn tag_frame(
    kind: TagKind,
    timestamp_ms: u32,
    stream_id: u32,
    body_len: usize,
) -> Result<([u8; TAG_HEADER_LEN], [u8; TAG_TRAILER_LEN]), BodyTooLong> {
    let Some(length) = u32::try_from(body_len).ok().filter(|_| body_len <= MAX_BODY_LEN) else {
        return Err(BodyTooLong(body_len));
    };
    let [_, l2, l1, l0] = length.to_be_bytes();
    let [t3, t2, t1, t0] = timestamp_ms.to_be_bytes();
    let [_, s2, s1, s0] = stream_id.to_be_bytes();
    let kind = match kind {
        TagKind::Media(kind) => kind.type_id(),
        TagKind::Script => type_id::DATA_AMF0,
    };
    let trailer = (length + 11).to_be_bytes();
    Ok(([kind, l2, l1, l0, t2, t1, t0, t3, s2, s1, s0], trailer))
}

/// A tag's header, read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TagHead {
    /// 8 audio, 9 video, 18 script data.
    pub type_id: u8,
    /// Milliseconds.
    pub timestamp_ms: u32,
    /// See [`tag_frame`].
    pub stream_id: u32,
    /// Bytes of the body, which the back pointer follows.
    pub body_len: usize,
}

impl TagHead {
    /// The header at the front of `bytes`; `None` while it is cut short.
    #[must_use]
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let [type_id, l2, l1, l0, t2, t1, t0, t3, s2, s1, s0] = *bytes.first_chunk::<TAG_HEADER_LEN>()?;
        Some(Self {
            type_id,
            timestamp_ms: u32::from_be_bytes([t3, t2, t1, t0]),
            stream_id: u32::from_be_bytes([0, s2, s1, s0]),
            body_len: u32::from_be_bytes([0, l2, l1, l0]) as usize,
        })
    }

    /// What it carries; `None` if no specification names the type.
    #[must_use]
    pub fn kind(&self) -> Option<TagKind> {
        TagKind::of(self.type_id)
    }

    /// Bytes of the whole tag.
    #[must_use]
    pub fn tag_len(&self) -> usize {
        TAG_HEADER_LEN + self.body_len + TAG_TRAILER_LEN
    }
}

/// Appends a whole tag.
///
/// # Errors
/// When the body is longer than [`MAX_BODY_LEN`].
pub fn write_tag(
    out: &mut BytesMut,
    kind: TagKind,
    timestamp_ms: u32,
    stream_id: u32,
    body: &[u8],
) -> Result<(), BodyTooLong> {
    let (header, trailer) = tag_frame(kind, timestamp_ms, stream_id, body.len())?;
    out.reserve(TAG_HEADER_LEN + body.len() + TAG_TRAILER_LEN);
    out.put_slice(&header);
    out.put_slice(body);
    out.put_slice(&trailer);
    Ok(())
}

/// The body of an `onMetaData` script tag with these values.
#[must_use]
pub fn metadata_body(values: &[(String, Value)]) -> Bytes {
    amf::encode(&[Value::from("onMetaData"), Value::EcmaArray(values.to_vec())])
}
