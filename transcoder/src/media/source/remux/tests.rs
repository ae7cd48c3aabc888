//! Tags become blocks, each at the place that is told, whatever comes and in whatever pieces.

use std::cell::RefCell;
use std::rc::Rc;

use proptest::prelude::*;

use super::*;

const FILE_HEADER: &[u8] = b"FLV\x01\x05\0\0\0\x09\0\0\0\0";
const HEVC_HEADER: &[u8] = b"\x90hvc1configuration";
const AAC_HEADER: &[u8] = b"\xaf\x00\x11\x90";

/// Position, cursor bits, DTS.
type Noted = (u64, u32, i64);

#[derive(Clone, Default)]
struct WatchNotes(Rc<RefCell<(Vec<u8>, Vec<Noted>)>>);

impl Watch for WatchNotes {
    fn flv(&mut self, bytes: &[u8]) {
        self.0.borrow_mut().0.extend_from_slice(bytes);
    }

    fn media(&mut self, position: u64, cursor_bits: u32, dts: i64) {
        self.0.borrow_mut().1.push((position, cursor_bits, dts));
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

#[derive(Debug, PartialEq)]
struct Remuxed {
    matroska: bool,
    bytes: Vec<u8>,
    noted: Vec<Noted>,
}

fn make(input: &[u8], piece: usize) -> Remuxed {
    let notes = WatchNotes::default();
    let mut bytes = Vec::new();
    let mut copy = |reader: &mut dyn Read| {
        let mut buf = vec![0; piece];
        while let Ok(count @ 1..) = reader.read(&mut buf) {
            bytes.extend_from_slice(&buf[..count]);
        }
    };
    let matroska = match open(Pieces(input, piece), notes.clone()).unwrap() {
        Container::Flv(mut reader) => {
            copy(&mut reader);
            false
        }
        Container::Matroska(mut reader) => {
            copy(&mut reader);
            true
        }
    };
    let (flv, noted) = notes.0.take();
    assert!(matroska || flv == bytes);
    Remuxed { matroska, bytes, noted }
}

fn tag(kind: u8, millis: u32, cursor_bits: u32, body: &[u8]) -> Vec<u8> {
    let (size, time, low) = (body.len() as u32, millis.to_be_bytes(), cursor_bits.to_be_bytes());
    let mut tag = vec![kind];
    tag.extend_from_slice(&size.to_be_bytes()[1..]);
    tag.extend_from_slice(&[time[1], time[2], time[3], time[0], low[1], low[2], low[3]]);
    tag.extend_from_slice(body);
    tag.extend_from_slice(&(size + 11).to_be_bytes());
    tag
}

fn run(tags: &[Vec<u8>]) -> Vec<u8> {
    [FILE_HEADER, &tags.concat()].concat()
}

/// An element's id, its content, and what follows; reads EBML by itself.
fn element(bytes: &[u8]) -> (u32, &[u8], &[u8]) {
    let id_length = bytes[0].leading_zeros() as usize + 1;
    let id = bytes[..id_length].iter().fold(0, |id, byte| id << 8 | u32::from(*byte));
    let rest = &bytes[id_length..];
    let length = rest[0].leading_zeros() as usize + 1;
    let size = rest[..length].iter().fold(0, |size: u64, byte| size << 8 | u64::from(*byte));
    let size = size & ((1 << (7 * length)) - 1);
    let rest = &rest[length..];
    // The one element of unknown size holds all that follows.
    let size = if id == 0x1853_8067 { 0 } else { usize::try_from(size).unwrap() };
    (id, &rest[..size], &rest[size..])
}

/// Where each cluster starts, its time, the block's track and flags, and its data.
fn blocks(bytes: &[u8]) -> Vec<(u64, u64, u8, u8, &[u8])> {
    let mut rest = bytes;
    let mut blocks = Vec::new();
    while !rest.is_empty() {
        let start = (bytes.len() - rest.len()) as u64;
        let (id, content, after) = element(rest);
        if id == 0x1f43_b675 {
            let (0xe7, time, block) = element(content) else { panic!("no time") };
            let (0xa3, block, &[]) = element(block) else { panic!("no block") };
            assert_eq!(block[1..3], [0, 0]);
            let time = time.iter().fold(0, |time, byte| time << 8 | u64::from(*byte));
            blocks.push((start, time, block[0] & 0x7f, block[3], &block[4..]));
        }
        rest = after;
    }
    blocks
}

#[test]
fn blocks_are_where_they_are_said_to_be() {
    let input = run(&[
        tag(18, 0, 0, b"\x02\0\x0aonMetaData"),
        tag(9, 0, 0, HEVC_HEADER),
        tag(8, 0, 0, AAC_HEADER),
        tag(9, 0x0102_0304, 7, b"\x91hvc1\x00\x00\x21picture"),
        tag(8, 0x0102_0310, 8, b"\xaf\x01sound"),
        tag(9, 0x0102_0320, 9, b"\x91hv"),
        tag(9, 0x0102_0330, 12, b"\xa3hvc1another"),
        tag(9, 5, 13, b"\xa1hvc1\xff\x00\x00before the start"),
    ]);
    let made = make(&input, 1_000);
    let found = blocks(&made.bytes);
    let seen: Vec<_> =
        found.iter().map(|(_, time, track, flags, data)| (*time, *track, *flags, *data)).collect();
    assert_eq!(
        seen,
        [
            (0x0102_0304 + 0x21, 1, 0x80, &b"picture"[..]),
            (0x0102_0310, 2, 0x80, b"sound"),
            (0x0102_0330, 1, 0, b"another"),
            (0, 1, 0, b"before the start"),
        ]
    );
    let starts: Vec<_> = found.iter().map(|block| block.0).collect();
    let noted = [(starts[0], 7, 0x0102_0304), (starts[1], 8, 0x0102_0310), (starts[2], 9, 0x0102_0320)];
    assert_eq!(made.noted[..3], noted);
    assert_eq!(made.noted[3..], [(starts[2], 12, 0x0102_0330), (starts[3], 13, 5)]);
}

#[test]
fn runs_that_the_flv_demuxer_knows_are_left_alone() {
    let avc = b"\x17\x00\x00\x00\x00\x01config";
    let classic = run(&[
        tag(9, 0, 0, avc),
        tag(8, 0, 0, AAC_HEADER),
        tag(9, 0, 1, b"\x17\x01\x00\x00\x00idr"),
        // Too late: the demuxer is open.
        tag(9, 0, 1, HEVC_HEADER),
    ]);
    for input in [&classic[..], b"", b"FLV", FILE_HEADER, b"HTTP/1.1 404 Not Found\r\n\r\n", &classic[..20]] {
        let made = make(input, 7);
        assert!(!made.matroska && made.bytes == input, "{}", input.escape_ascii());
    }
    let long = run(&[tag(18, 0, 0, &[0; 200_000]), tag(9, 0, 0, HEVC_HEADER)]);
    assert!(make(&long, 1_000).bytes == long, "more before media than any gateway sends");
}

#[test]
fn one_enhanced_track_is_enough() {
    for (video, audio) in [
        (&b"\x17\x00\x00\x00\x00\x01config"[..], &b"\x90mp4a\x11\x90"[..]),
        (HEVC_HEADER, AAC_HEADER),
        (b"\x1c\x00\x00\x00\x00\x01config", AAC_HEADER),
    ] {
        let input = run(&[tag(9, 0, 0, video), tag(8, 0, 0, audio), tag(8, 0, 1, b"\xaf\x01sound")]);
        assert!(make(&input, 100).matroska);
    }
}

/// Breaks off when it is asked for more than there is.
struct Live<'a>(&'a [u8]);

impl Read for Live<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if self.0.is_empty() { Err(io::ErrorKind::WouldBlock.into()) } else { self.0.read(buf) }
    }
}

#[test]
fn a_block_does_not_wait_for_what_follows() {
    let input = run(&[tag(9, 0, 0, HEVC_HEADER), tag(9, 0, 1, b"\x93hvc1picture")]);
    let Ok(Container::Matroska(mut reader)) = open(Live(&input), WatchNotes::default()) else {
        panic!("not live")
    };
    let mut bytes = Vec::new();
    let error = reader.read_to_end(&mut bytes).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
    assert_eq!(blocks(&bytes).len(), 1);
}

fn bodies() -> impl Strategy<Value = Vec<u8>> {
    let start = prop::sample::select(vec![
        HEVC_HEADER,
        b"\x90hvc1another",
        b"\x90av01\x81\0\x0c\0",
        b"\x91hvc1\0\0\x28x",
        b"\xa1hvc1\xff\xff\xffx",
        b"\xa3hvc1x",
        b"\x91av01x",
        b"\x97\x00\x00\x03hvc1x",
        b"\x96\x01hvc1",
        b"\x92hvc1",
        b"\xd4hvc1\x02\0\x09colorInfo",
        b"\x17\x00\0\0\0\x01",
        b"\x17\x01\0\0\0x",
        AAC_HEADER,
        b"\xaf\x01x",
        b"\x91mp4ax",
        b"\x90Opus",
        b"\x02\0\x0aonMetaData\x08\0\0\0\x01\0\x09framerate\0\x40\x39\0\0\0\0\0\0\0\0\x09",
        b"",
    ]);
    (start, prop::collection::vec(any::<u8>(), 0..20)).prop_map(|(start, rest)| [start, &rest[..]].concat())
}

proptest! {
    #[test]
    fn any_tags_make_whole_blocks_however_they_come(
        tags in prop::collection::vec((prop::sample::select(vec![8u8, 9, 9, 18]), any::<u32>(), bodies()), 0..30),
        piece in 1usize..300,
    ) {
        let tags: Vec<_> = (1..).zip(&tags).map(|(n, (kind, millis, body))| tag(*kind, *millis, n, body)).collect();
        let input = run(&tags);
        let made = make(&input, piece);
        prop_assert_eq!(&made, &make(&input, 1 << 20));
        if made.matroska {
            let found = blocks(&made.bytes);
            prop_assert!(found.len() <= made.noted.len());
            for (start, ..) in found {
                prop_assert!(made.noted.iter().any(|noted| noted.0 == start));
            }
            prop_assert!(made.noted.windows(2).all(|pair| pair[0].0 <= pair[1].0 && pair[0].1 < pair[1].1));
        }
    }

    #[test]
    fn any_bytes_are_survived(
        garbage in prop::collection::vec(any::<u8>(), 0..400),
        at in 0usize..200,
        piece in 1usize..50,
    ) {
        let mut input = run(&[
            tag(9, 0, 0, HEVC_HEADER),
            tag(8, 0, 0, AAC_HEADER),
            tag(9, 0, 1, b"\x93hvc1picture"),
            tag(8, 20, 2, b"\xaf\x01sound"),
        ]);
        input.splice(at.min(input.len()).., garbage);
        let made = make(&input, piece);
        prop_assert_eq!(&made, &make(&input, 1 << 20));
        // Of a byte nothing much can become.
        prop_assert!(made.bytes.len() <= 40 * input.len() + 400);
    }
}
