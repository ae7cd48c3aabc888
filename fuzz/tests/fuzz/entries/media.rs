//! Audio and video: FLV tag bodies, enhanced codecs, and runs on their way into a demuxer.

use std::io::{self, Read};

use headwater_rtmp::MediaKind::{Audio, Video};
use headwater_rtmp::codec::{
    AudioTag, Av1Config, AvcConfig, HevcConfig, Inspector, MediaClass, NalUnits, VideoTag,
};
use headwater_transcoder::media::remux::{Container, Watch, open};

fn lies_within(part: &[u8], whole: &[u8]) -> bool {
    part.is_empty() || whole.as_ptr_range().contains(&part.as_ptr())
}

/// Tag bodies: the first byte says how they are cut into messages. What is classified lies within its message, and the
/// same message is classified the same by whoever has heard the same headers.
pub(crate) fn codec(data: &[u8]) {
    let Some((&how, data)) = data.split_first() else { return };
    let (mut inspector, mut again) = (Inspector::new(), Inspector::new());
    for body in data.chunks(usize::from(how) + 1) {
        for kind in [Audio, Video] {
            let seen = inspector.inspect(kind, body);
            assert_eq!(seen, again.inspect(kind, body));
            match seen {
                Ok(info) => assert!(!body.is_empty() || info.class == MediaClass::Other),
                Err(error) => assert!(!error.to_string().is_empty()),
            }
        }
        if let Ok(tag) = VideoTag::parse(body) {
            assert!(lies_within(tag.data, body));
        }
        if let Ok(tag) = AudioTag::parse(body) {
            assert!(lies_within(tag.data, body));
        }
        for length in 0..=5 {
            let nals = NalUnits::new(body, length);
            assert!(nals.clone().count() <= body.len());
            nals.clone().for_each(|nal| assert!(lies_within(nal, body)));
            let _ = nals.hevc_random_access();
        }
        let _ = (AvcConfig::parse(body), HevcConfig::parse(body), Av1Config::parse(body));
    }
}

/// Hands out `piece` bytes at a time.
struct Pieces<'a>(&'a [u8], usize);

impl Read for Pieces<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let count = self.1.min(buf.len());
        self.0.read(&mut buf[..count])
    }
}

#[derive(Default)]
struct Positions(u64);

impl Watch for &mut Positions {
    fn flv(&mut self, _: &[u8]) {}

    fn media(&mut self, position: u64, _: u32, _: i64) {
        assert!(position >= self.0, "positions only grow");
        self.0 = position;
    }
}

fn remuxed(data: &[u8], piece: usize) -> (bool, Vec<u8>) {
    let mut positions = Positions::default();
    let mut out = Vec::new();
    let is_flv = match open(Pieces(data, piece), &mut positions).expect("memory does not fail") {
        Container::Flv(mut reader) => {
            reader.read_to_end(&mut out).expect("memory does not fail");
            true
        }
        Container::Matroska(mut reader) => {
            // What is no tag ends the run with an error; what came before it counts.
            let _ = reader.read_to_end(&mut out);
            false
        }
    };
    assert!(positions.0 <= out.len() as u64);
    (is_flv, out)
}

/// A run becomes the same whatever pieces it comes in: itself, or Matroska of about its length.
pub(crate) fn remux(data: &[u8]) {
    let (is_flv, whole) = remuxed(data, data.len().max(1));
    if is_flv {
        assert_eq!(whole, data);
    } else {
        assert!(whole.is_empty() || whole.starts_with(&[0x1a, 0x45, 0xdf, 0xa3]), "an EBML header");
        assert!(whole.len() <= 2 * data.len() + 1_024, "{} of {}", whole.len(), data.len());
    }
    let piece = 1 + data.len() % 61;
    assert_eq!(remuxed(data, piece), (is_flv, whole));
}
