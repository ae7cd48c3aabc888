//! The part of the enhanced header that audio and video share: modifiers before the packet type (E-RTMP "ModEx").

use super::{FourCc, TagError};

pub(super) const SEQUENCE_START: u8 = 0;
pub(super) const CODED_FRAMES: u8 = 1;
pub(super) const SEQUENCE_END: u8 = 2;
pub(super) const MOD_EX: u8 = 7;

/// Follows modifiers until the packet type that counts; `rest` starts after the first byte of the tag body.
pub(super) fn skip_modifiers(mut packet_type: u8, mut rest: &[u8]) -> Result<(u8, &[u8]), TagError> {
    // Each turn consumes at least three bytes.
    while packet_type == MOD_EX {
        let (&short, after) = rest.split_first().ok_or(TagError::Truncated)?;
        let (size, after) = match short {
            u8::MAX => {
                let (long, after) = after.split_first_chunk::<2>().ok_or(TagError::Truncated)?;
                (usize::from(u16::from_be_bytes(*long)) + 1, after)
            }
            short => (usize::from(short) + 1, after),
        };
        let (&next, after) =
            after.get(size..).and_then(|after| after.split_first()).ok_or(TagError::Truncated)?;
        packet_type = next & 0x0F;
        rest = after;
    }
    Ok((packet_type, rest))
}

pub(super) fn fourcc(rest: &[u8]) -> Result<(FourCc, &[u8]), TagError> {
    let (code, rest) = rest.split_first_chunk::<4>().ok_or(TagError::Truncated)?;
    Ok((FourCc(*code), rest))
}
