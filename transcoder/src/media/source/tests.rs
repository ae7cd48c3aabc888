//! What the demuxer hands out is what the tags were, whichever container it was given.

use std::io::Cursor;

use super::*;

#[path = "../../../tests/media/support/enhanced.rs"]
#[allow(dead_code, unreachable_pub, reason = "shared with test binaries")]
mod enhanced;
#[path = "../../../tests/media/support/flv.rs"]
#[allow(dead_code, unreachable_pub, reason = "shared with test binaries")]
mod flv;

use enhanced::{AV1, HEVC, VP9, recorded};
use flv::{FIRST_CURSOR, Flv, Tag};

/// Whether it is video, cursor, DTS, PTS, bytes.
type Seen = (bool, u64, i64, i64, usize);

fn demuxed(source: &Flv) -> Vec<Seen> {
    let reader = Box::new(Cursor::new(source.bytes()));
    let mut opened = Source::open(reader, FIRST_CURSOR, &Cancel::new()).unwrap();
    let counters = Counters::default();
    let mut seen = Vec::new();
    while let Next::Unit(unit) = opened.next(&counters) {
        let Unit { track, packet, pts_millis, dts_millis, cursor } = unit;
        assert_eq!((packet.pts(), packet.dts()), (Some(pts_millis), Some(dts_millis)));
        seen.push((track == Track::Video, cursor, dts_millis, pts_millis, packet.size()));
    }
    assert_eq!(counters.snapshot().demux_errors, 0);
    seen
}

fn sent(tag: &Tag) -> Seen {
    let (body, dts) = (tag.body(), i64::from(tag.millis));
    let (head, composition) = match (tag.video, body[0] & 0x8f, &body[1..]) {
        (true, 0x81, [b'h', b'v', b'c', b'1', a, b, c, ..]) => (8, i32::from_be_bytes([0, *a, *b, *c])),
        (true, 0x81 | 0x83, _) => (5, 0),
        (true, _, [_, a, b, c, ..]) => (5, i32::from_be_bytes([0, *a, *b, *c])),
        _ => (2, 0),
    };
    (tag.video, tag.cursor, dts, dts + i64::from(composition), body.len() - head)
}

#[test]
fn every_tag_has_its_cursor_and_its_times() {
    let classic = flv::clip("160x90", "25", 4.0, "-g 30 -bf 3");
    for source in [recorded(HEVC), recorded(AV1), recorded(VP9), classic] {
        let expected: Vec<_> = source.tags.iter().filter(|tag| !tag.header).map(sent).collect();
        let seen = demuxed(&source);
        assert!(expected.len() > 150 && expected.iter().all(|packet| packet.3 >= packet.2));
        assert_eq!(seen, expected);
    }
}
