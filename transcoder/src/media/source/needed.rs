//! Fails the build when [`super::remux`] has become needless, so that it goes then.
//!
//! FFmpeg's FLV demuxer reads Enhanced RTMP since 6.1. What is built on a newer system works all the same; what counts is
//! what the image is made of, for that is what is promised to encoders.

use ffmpeg_next::ffi::{LIBAVFORMAT_VERSION_MAJOR as MAJOR, LIBAVFORMAT_VERSION_MINOR as MINOR};

/// The libavformat of FFmpeg 6.1.
const READS_ENHANCED_SINCE: (u32, u32) = (60, 16);
/// The image's package of FFmpeg 5.1's libavformat, as the Dockerfile names it.
const OLD_PACKAGE: &str = "libavformat59";

const LINKED_READS_ENHANCED: bool = MAJOR as u32 > READS_ENHANCED_SINCE.0
    || MAJOR as u32 == READS_ENHANCED_SINCE.0 && MINOR as u32 >= READS_ENHANCED_SINCE.1;
const IMAGE_IS_OLD: bool = contains(include_bytes!("../../../Dockerfile"), OLD_PACKAGE.as_bytes());

const _: () = assert!(
    IMAGE_IS_OLD || !LINKED_READS_ENHANCED,
    "the image's FFmpeg reads Enhanced RTMP by itself now: delete transcoder/src/media/source/remux and this file (ADR 11)"
);

const fn contains(text: &[u8], part: &[u8]) -> bool {
    let mut at = 0;
    while at + part.len() <= text.len() {
        let mut same = 0;
        while same < part.len() && text[at + same] == part[same] {
            same += 1;
        }
        if same == part.len() {
            return true;
        }
        at += 1;
    }
    false
}

#[cfg(test)]
mod tests {
    use super::contains;

    #[test]
    fn a_part_is_found_wherever_it_is() {
        assert!(contains(b"abcabd", b"abd") && contains(b"ab", b"ab") && contains(b"ab", b""));
        assert!(!contains(b"abcab", b"abd") && !contains(b"a", b"ab"));
    }
}
