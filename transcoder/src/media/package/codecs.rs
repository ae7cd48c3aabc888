//! Reads what playlists must say out of real init segments: RFC 6381 codec strings. Pure.

/// AAC-LC: object type 2 of MPEG-4 audio (RFC 6381 section 3.3).
pub(crate) const AAC_LC: &str = "mp4a.40.2";

/// One box of the top level.
pub(super) struct Mp4Box {
    pub(crate) kind: [u8; 4],
    pub(crate) start: usize,
}

/// The boxes of the top level; ends at the first that is cut short or malformed.
pub(super) fn boxes(bytes: &[u8]) -> impl Iterator<Item = Mp4Box> + '_ {
    let mut start = 0;
    std::iter::from_fn(move || {
        let head = bytes.get(start..start + 8)?;
        let size = u32::from_be_bytes([head[0], head[1], head[2], head[3]]) as usize;
        if size < 8 || size > bytes.len() - start {
            return None;
        }
        let found = Mp4Box { kind: [head[4], head[5], head[6], head[7]], start };
        start += size;
        Some(found)
    })
}

/// `avc1.PPCCLL` from the `avcC` of an init segment (ISO/IEC 14496-15 section 5.3.3.1.2).
pub(crate) fn avc(init: &[u8]) -> Option<String> {
    let at = init.windows(4).position(|w| w == b"avcC")? + 4;
    match init.get(at..at + 4)? {
        [1, profile, constraints, level] => Some(format!("avc1.{profile:02x}{constraints:02x}{level:02x}")),
        _ => None,
    }
}

/// Whether the `avcC` of an init segment has a parameter set.
pub(crate) fn has_parameter_set(init: &[u8], set: &[u8]) -> bool {
    let Ok(length) = u16::try_from(set.len()) else { return false };
    let at = init.windows(4).position(|w| w == b"avcC").unwrap_or(init.len());
    // Each stands behind its length.
    let counted = [&length.to_be_bytes()[..], set].concat();
    init[at..].windows(counted.len()).any(|window| window == counted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_boxes_and_avcc() {
        let mut init = b"\0\0\0\x0cftypiso5".to_vec();
        init.extend_from_slice(b"\0\0\0\x10moovavcC\x01\x64\0\x1f");
        let kinds: Vec<_> = boxes(&init).map(|b| (b.kind, b.start)).collect();
        assert_eq!(kinds, [(*b"ftyp", 0), (*b"moov", 12)]);
        assert_eq!(avc(&init).as_deref(), Some("avc1.64001f"));
        assert_eq!(avc(b"avcC"), None);
        assert_eq!(boxes(&[0; 20]).count(), 0);
        let init = b"avcC\x01\x64\0\x1f\xff\xe1\0\x02\x67\x64\x01\0\x02\x68\xee";
        assert!(has_parameter_set(init, b"\x67\x64") && has_parameter_set(init, b"\x68\xee"));
        assert!(!has_parameter_set(init, b"\x68\xef") && !has_parameter_set(b"", b"\x68\xee"));
    }
}
