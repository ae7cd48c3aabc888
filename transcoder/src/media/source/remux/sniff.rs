//! Tells from the start of a run whether FFmpeg's FLV demuxer knows its codecs.

use std::io::{self, Read};

use headwater_rtmp::codec::BodyHead;
use headwater_rtmp::flv::{FILE_HEADER_LEN, TAG_HEADER_LEN, TAG_TRAILER_LEN, TagHead, TagKind};

/// Bytes looked at. The gateway puts at most 48 KiB (metadata and two sequence headers) before media.
const MAX_HEAD: usize = 128 * 1024;

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
        let Some(tag) = TagHead::read(&head[at..]).filter(|tag| tag.body_len >= 2) else {
            return Ok(Form::Classic);
        };
        let sequence_header = match tag.kind() {
            Some(TagKind::Media(kind)) => match BodyHead::read(kind, &head[at + TAG_HEADER_LEN..]) {
                Some(body) if body.is_enhanced() || body.is_classic_hevc() => return Ok(Form::Enhanced),
                body => body.is_some_and(BodyHead::is_sequence_header),
            },
            Some(TagKind::Script) => true,
            None => false,
        };
        if !sequence_header || !fill(reader, head, tag.body_len - 2 + TAG_TRAILER_LEN)? {
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
