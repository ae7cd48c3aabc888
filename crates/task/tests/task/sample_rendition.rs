//! A rendition's piece of a segment, for tests of the crate's outside and, by path, of its inside.

use super::{RenditionKind, RenditionSegment};

pub(crate) fn pictures() -> RenditionSegment {
    RenditionSegment {
        name: "720p".into(),
        kind: RenditionKind::Video { width: 1_280, height: 720, frame_rate: 30.0 },
        codecs: "avc1.64001f".into(),
        init: "init".into(),
        data: "media".into(),
        declared_bitrate: 3_000_000,
        copied: false,
    }
}
