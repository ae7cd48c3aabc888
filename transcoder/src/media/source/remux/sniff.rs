//! Tells from the start of a run whether FFmpeg's FLV demuxer knows its codecs.

use std::io::{self, Read};

use headwater_rtmp::flv::{FILE_HEADER_LEN, TAG_HEADER_LEN, TAG_TRAILER_LEN};

use super::tags::TagKind;

/// Bytes looked at. The gateway puts at most 48 KiB (metadata and two sequence headers) before media.
const MAX_HEAD: usize = 128 * 1024;
/// Codec id 12: HEVC as some encoders sent it before Enhanced RTMP.
const CODEC_HEVC_CLASSIC: u8 = 12;

/// How the codecs of a run are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// As FLV 10.1 says; also what is no FLV at all.
    Classic,
    /// As Enhanced RTMP says, in one track at least; and HEVC in any form.
    Enhanced,
}

/// Reads sequence headers up to the first media, or to the first tag in the enhanced form, into `head`.
pub(super) fn sniff(reader: &mut impl Read, head: &mut Vec<u8>) -> io::Result<Form> {
    if !fill(reader, head, FILE_HEADER_LEN)? {
        return Ok(Form::Classic);
    }
    loop {
        let at = head.len();
        if !fill(reader, head, TAG_HEADER_LEN + 2)? {
            return Ok(Form::Classic);
        }
        let size = u32::from_be_bytes([0, head[at + 1], head[at + 2], head[at + 3]]) as usize;
        let (first, second) = (head[at + TAG_HEADER_LEN], head[at + TAG_HEADER_LEN + 1]);
        let sequence_header = match TagKind::from_type(head[at]) {
            _ if size < 2 => return Ok(Form::Classic),
            Some(TagKind::Video) if first & 0x80 != 0 || first & 0x0f == CODEC_HEVC_CLASSIC => {
                return Ok(Form::Enhanced);
            }
            Some(TagKind::Audio) if first >> 4 == 9 => return Ok(Form::Enhanced),
            Some(TagKind::Video) => first & 0x0f == 7 && second == 0,
            Some(TagKind::Audio) => first >> 4 == 10 && second == 0,
            Some(TagKind::Script) => true,
            None => false,
        };
        if !sequence_header || !fill(reader, head, size - 2 + TAG_TRAILER_LEN)? {
            return Ok(Form::Classic);
        }
    }
}

/// Appends that many bytes, or what there is; false if that is less, or too much.
fn fill(reader: &mut impl Read, head: &mut Vec<u8>, count: usize) -> io::Result<bool> {
    let before = head.len();
    if before + count > MAX_HEAD {
        return Ok(false);
    }
    reader.take(count as u64).read_to_end(head)?;
    Ok(head.len() - before == count)
}
