mod sound;

use MediaKind::{Audio, Video};

use super::*;

/// Of x264: High profile, 64x48; and another SPS of the same id, of Baseline profile.
const SPS: &[u8] = b"\x67\x64\0\x0a\xac\xd9\x44\x7b\x01\x10\0\0\x03\0\x10\0\0\x03\x03\x20\xf1\x22\x59\x60";
const PPS: &[u8] = b"\x68\xeb\xe3\xcb\x22\xc0";
const BASELINE: &[u8] = b"\x67\x42\xc0\x0a\xd9\x04\x26\xc0\x44\0\0\x03\0\x04";
const IDR: &[u8] = b"\x65\x88\x84\x21";
const P: &[u8] = b"\x41\x9a\x24\x6c";
/// A slice of a P-picture that is not its first.
const MORE: &[u8] = b"\x41\x02\x79\xa2";
const SEI: &[u8] = b"\x06\x05\x01\xff\x80";
const AUD: &[u8] = b"\x09\xf0";

fn lengths(size: usize, units: &[&[u8]]) -> Vec<u8> {
    units.iter().flat_map(|unit| [&(unit.len() as u32).to_be_bytes()[4 - size..], *unit].concat()).collect()
}

fn annex_b(units: &[&[u8]]) -> Vec<u8> {
    let code = |n: usize| if n == 0 { &b"\0\0\0\x01"[..] } else { b"\0\0\x01" };
    units.iter().enumerate().flat_map(|(n, unit)| [code(n), *unit].concat()).collect()
}

fn avcc(size: u8, sps: &[u8]) -> Vec<u8> {
    let head = [1, sps[1], sps[2], sps[3], 0xFC | (size - 1), 0xE1, 0, sps.len() as u8];
    [&head[..], sps, &[1, 0, PPS.len() as u8], PPS, if sps[1] == 100 { b"\xfd\xf8\xf8\0" } else { b"" }]
        .concat()
}

fn body(head: &[u8], data: &[u8]) -> Bytes {
    [head, data].concat().into()
}

const HEADER: &[u8] = &[0x17, 0, 0, 0, 0];
const KEY: &[u8] = &[0x17, 1, 0, 0, 0];
const INTER: &[u8] = &[0x27, 1, 0, 0, 0];

#[derive(Default)]
struct Rig(Normalizer);

impl Rig {
    fn push(&mut self, kind: MediaKind, timestamp: u32, payload: Bytes) -> Result<Vec<Normal>, Useless> {
        let message = MediaMessage { kind, timestamp, payload };
        let mut out = Vec::new();
        let tag = MediaTag::parse(&message)?;
        self.0.push(&message, &tag, &mut out).map(|()| out)
    }

    fn video(&mut self, timestamp: u32, head: &[u8], data: &[u8]) -> Result<Vec<Normal>, Useless> {
        self.push(Video, timestamp, body(head, data))
    }

    fn end(mut self) -> Vec<Normal> {
        let mut out = Vec::new();
        self.0.finish(&mut out);
        out
    }

    /// A session that has had its header and first picture.
    fn begun() -> Self {
        let mut rig = Self::default();
        assert_eq!(rig.video(0, HEADER, &avcc(4, SPS)), Ok(vec![header(avcc(4, SPS))]));
        assert_eq!(rig.video(0, KEY, &lengths(4, &[IDR])), Ok(vec![]), "the first picture waits");
        let after = rig.video(40, INTER, &lengths(4, &[P]));
        assert_eq!(after, Ok(vec![key(0, &[IDR]), inter(40, &[P])]));
        rig
    }
}

fn header(record: Vec<u8>) -> Normal {
    Normal::Header(Video, body(HEADER, &record))
}

fn picture(timestamp: u32, head: &[u8], random_access: Option<RandomAccess>, units: &[&[u8]]) -> Normal {
    Normal::Frame(Frame { kind: Video, timestamp, random_access, body: body(head, &lengths(4, units)) })
}

fn key(timestamp: u32, units: &[&[u8]]) -> Normal {
    picture(timestamp, KEY, Some(RandomAccess::Closed), units)
}

fn inter(timestamp: u32, units: &[&[u8]]) -> Normal {
    picture(timestamp, INTER, None, units)
}

#[test]
fn a_well_formed_message_is_not_copied() {
    let mut rig = Rig::begun();
    for (timestamp, head, units) in [(80, INTER, &[AUD, SEI, P, MORE][..]), (120, KEY, &[SEI, IDR])] {
        let payload = body(head, &lengths(4, units));
        let out = rig.push(Video, timestamp, payload.clone()).unwrap();
        let [Normal::Frame(frame)] = &out[..] else { panic!("{out:?}") };
        assert_eq!(frame.body.as_ptr(), payload.as_ptr());
    }
}

#[test]
fn empty_units_are_dropped_wherever_they_are() {
    let mut rig = Rig::begun();
    for units in [&[b"", IDR][..], &[IDR, b""], &[b"", b"", SEI, b"", IDR, b"", b""]] {
        let full: Vec<&[u8]> = units.iter().copied().filter(|unit| !unit.is_empty()).collect();
        assert_eq!(rig.video(80, KEY, &lengths(4, units)), Ok(vec![key(80, &full)]));
    }
    let padded = [lengths(4, &[P]), vec![0; 3]].concat();
    assert_eq!(rig.video(120, INTER, &padded), Ok(vec![inter(120, &[P])]));
    assert_eq!(rig.video(160, INTER, &lengths(4, &[b""])), Err(Useless::NoPicture));
}

#[test]
fn lengths_of_other_sizes_become_four_bytes() {
    for size in [1, 2, 3] {
        let mut rig = Rig::default();
        assert_eq!(rig.video(0, HEADER, &avcc(size, SPS)), Ok(vec![header(avcc(4, SPS))]));
        assert_eq!(rig.video(0, KEY, &lengths(size.into(), &[SEI, IDR])), Ok(vec![]));
        assert_eq!(rig.end(), [key(0, &[SEI, IDR])]);
    }
}

#[test]
fn slices_that_come_one_by_one_are_one_picture() {
    let mut rig = Rig::default();
    rig.video(0, HEADER, &avcc(4, SPS)).unwrap();
    let idr_slice = b"\x65\x02\x79\xa2";
    assert_eq!(rig.video(0, KEY, &lengths(4, &[SEI, IDR])), Ok(vec![]));
    assert_eq!(rig.video(0, KEY, &lengths(4, &[idr_slice])), Ok(vec![]));
    assert_eq!(rig.video(0, KEY, &lengths(4, &[idr_slice])), Ok(vec![]));
    assert_eq!(rig.video(40, INTER, &lengths(4, &[P])), Ok(vec![key(0, &[SEI, IDR, idr_slice, idr_slice])]));
    assert_eq!(rig.video(40, INTER, &lengths(4, &[MORE])), Ok(vec![]));
    assert_eq!(
        rig.push(Audio, 60, Bytes::from_static(&[0xaf, 0, 0x11, 0x88])).unwrap().len(),
        1,
        "sound passes"
    );
    assert_eq!(rig.video(40, INTER, &lengths(4, &[b"", MORE])), Ok(vec![]));
    let sound = Bytes::from_static(&[0xaf, 1, 0x21, 0x10]);
    let out = rig.push(Audio, 290, sound.clone()).unwrap();
    assert_eq!(out[0], inter(40, &[P, MORE, MORE]), "long behind it nothing is waited for");
    assert_eq!(out.len(), 2);
    assert_eq!(rig.video(80, INTER, &lengths(4, &[P])), Ok(vec![]));
    assert_eq!(
        rig.video(80, INTER, &lengths(4, &[P])),
        Ok(vec![inter(80, &[P])]),
        "another picture, not a slice"
    );
    assert_eq!(rig.end(), [inter(80, &[P])]);
}

#[test]
fn fields_that_come_one_by_one_are_one_picture() {
    /// Main profile, eight bits of frame_num, frames and fields.
    const SPS: &[u8] = b"\x67\x4d\0\x28\x96\x35\x06\x10\x90";
    const PPS: &[u8] = b"\x68\xce\x3c\x80";
    let top = |number: u8| [0x61, 0x88, 0x80 | number >> 1, 0x4a | number << 7, 0xaa, 0xa0];
    let bottom = |number: u8| [0x61, 0x88, 0x80 | number >> 1, 0x6a | number << 7, 0xaa, 0xa0];
    let idr = [0x65, 0x88, 0x80, 0x4a, 0xaa, 0xa0];
    let mut rig = Rig::default();
    let record =
        [&[1, 77, 0, 40, 0xFF, 0xE1, 0, SPS.len() as u8][..], SPS, &[1, 0, PPS.len() as u8], PPS].concat();
    assert_eq!(rig.video(0, HEADER, &record), Ok(vec![header(record)]));
    // In messages of their own; with a delimiter between them; both in one; the second one is lost.
    assert_eq!(rig.video(0, KEY, &lengths(4, &[&idr])), Ok(vec![]));
    let whole = rig.video(20, INTER, &lengths(4, &[&bottom(0)]));
    assert_eq!(whole, Ok(vec![key(0, &[&idr, &bottom(0)])]), "as soon as it is whole");
    assert_eq!(rig.video(40, INTER, &lengths(4, &[&top(1)])), Ok(vec![]));
    assert_eq!(rig.video(60, INTER, &lengths(4, &[AUD])), Err(Useless::NoPicture));
    let whole = rig.video(60, INTER, &lengths(4, &[&bottom(1)]));
    assert_eq!(whole, Ok(vec![inter(40, &[&top(1), AUD, &bottom(1)])]));
    let both = rig.video(80, INTER, &lengths(4, &[&top(2), &bottom(2)]));
    assert_eq!(both, Ok(vec![inter(80, &[&top(2), &bottom(2)])]), "it waits for nothing");
    assert_eq!(rig.video(120, INTER, &lengths(4, &[&top(3)])), Ok(vec![]));
    assert_eq!(rig.video(160, INTER, &lengths(4, &[&top(4)])), Ok(vec![inter(120, &[&top(3)])]));
    assert_eq!(rig.end(), [inter(160, &[&top(4)])]);
}

#[test]
fn sound_of_any_time_waits_within_bounds() {
    let mut rig = Rig::default();
    rig.video(0, HEADER, &avcc(4, SPS)).unwrap();
    rig.video(0, KEY, &lengths(4, &[IDR])).unwrap();
    rig.push(Audio, 0, Bytes::from_static(&[0xaf, 0, 0x11, 0x88])).unwrap();
    let raw = Bytes::from_static(&[0xaf, 1, 0x21, 0x10]);
    let came: Vec<_> = (0..100).map(|_| rig.push(Audio, 0, raw.clone()).unwrap().len()).collect();
    assert_eq!(came.iter().sum::<usize>(), 101, "the picture, too");
    assert_eq!((came[63], came[64]), (0, 66));
}

#[test]
fn slices_that_begin_in_mid_session_cost_one_picture() {
    let mut rig = Rig::begun();
    assert_eq!(rig.video(80, INTER, &lengths(4, &[P])), Ok(vec![inter(80, &[P])]));
    assert_eq!(rig.video(80, INTER, &lengths(4, &[MORE])), Err(Useless::LateSlice));
    assert_eq!(rig.video(120, INTER, &lengths(4, &[P])), Ok(vec![]));
    assert_eq!(rig.video(120, INTER, &lengths(4, &[MORE])), Ok(vec![]));
    // The first slice is lost: what there is of the picture is one all the same.
    assert_eq!(rig.video(160, INTER, &lengths(4, &[MORE])), Ok(vec![inter(120, &[P, MORE])]));
}

#[test]
fn without_a_sequence_header_the_parameter_sets_in_band_make_one() {
    for framed in [|units: &[&[u8]]| lengths(4, units), annex_b] {
        let mut rig = Rig::default();
        assert_eq!(rig.video(0, INTER, &framed(&[P])), Err(Useless::NoVideoHeader));
        assert_eq!(rig.video(40, KEY, &framed(&[AUD, SPS, PPS, SEI, IDR])), Ok(vec![header(avcc(4, SPS))]));
        assert_eq!(rig.video(80, INTER, &framed(&[P])), Ok(vec![key(40, &[AUD, SEI, IDR]), inter(80, &[P])]));
        assert_eq!(
            rig.video(120, KEY, &framed(&[SPS, PPS, IDR])),
            Ok(vec![key(120, &[IDR])]),
            "no new header"
        );
    }
}

#[test]
fn parameter_sets_may_be_messages_of_their_own() {
    let mut rig = Rig::default();
    for units in [&[SPS][..], &[PPS], &[SEI]] {
        assert_eq!(rig.video(0, KEY, &lengths(4, units)), Err(Useless::NoPicture));
    }
    assert_eq!(rig.video(0, KEY, &lengths(4, &[IDR])), Ok(vec![header(avcc(4, SPS))]));
    assert_eq!(rig.video(40, INTER, &lengths(4, &[b"\x0a"])), Err(Useless::NoPicture), "end of sequence");
    assert_eq!(rig.video(40, INTER, &lengths(4, &[AUD])), Err(Useless::NoPicture));
    assert_eq!(rig.video(40, INTER, &lengths(4, &[P])), Ok(vec![key(0, &[SEI, IDR]), inter(40, &[AUD, P])]));
}

#[test]
fn annex_b_in_header_and_pictures_is_understood() {
    let mut rig = Rig::default();
    assert_eq!(rig.video(0, HEADER, &annex_b(&[SPS, PPS])), Ok(vec![header(avcc(4, SPS))]));
    assert_eq!(rig.video(0, KEY, &annex_b(&[SPS, PPS, IDR])), Ok(vec![]));
    assert_eq!(rig.video(40, INTER, &annex_b(&[P, MORE])), Ok(vec![key(0, &[IDR]), inter(40, &[P, MORE])]));
}

#[test]
fn parameter_sets_that_change_make_a_header_and_the_same_ones_none() {
    let mut rig = Rig::begun();
    assert_eq!(rig.video(80, KEY, &lengths(4, &[SPS, PPS, IDR])), Ok(vec![key(80, &[IDR])]));
    assert_eq!(rig.video(120, KEY, &lengths(4, &[BASELINE, PPS, IDR])), Ok(vec![header(avcc(4, BASELINE))]));
    assert_eq!(rig.video(160, INTER, &lengths(4, &[P])), Ok(vec![key(120, &[IDR]), inter(160, &[P])]));
    assert_eq!(
        rig.video(160, HEADER, &avcc(4, SPS)),
        Ok(vec![]),
        "the encoder repeats what it was wrong about"
    );
    assert_eq!(rig.video(200, KEY, &lengths(4, &[BASELINE, PPS, IDR])), Ok(vec![key(200, &[IDR])]));
}

#[test]
fn what_changes_between_key_frames_stays_with_its_pictures_until_the_next() {
    let mut rig = Rig::begun();
    let pps = b"\x68\xeb\xe3\xcb\x22\x80";
    assert_eq!(rig.video(80, INTER, &lengths(4, &[pps, P])), Ok(vec![inter(80, &[pps, P])]));
    let out = rig.video(120, KEY, &lengths(4, &[IDR])).unwrap();
    let [Normal::Header(Video, record)] = &out[..] else { panic!("{out:?}") };
    assert!(record.windows(6).any(|window| window == pps));
}

#[test]
fn key_frames_are_what_their_units_are() {
    let mut rig = Rig::begun();
    assert_eq!(rig.video(80, INTER, &lengths(4, &[IDR])), Ok(vec![key(80, &[IDR])]));
    assert_eq!(rig.video(120, KEY, &lengths(4, &[P])), Ok(vec![inter(120, &[P])]));
    // An I-picture that is none, of an open GOP: decoders can start with it, readers may not.
    let open = b"\x41\x88\x84";
    assert_eq!(rig.video(160, KEY, &lengths(4, &[open])), Ok(vec![picture(160, KEY, None, &[open])]));
    assert_eq!(rig.video(200, INTER, b"\0\0\0\x09\x41"), Err(Useless::Framing));
    assert_eq!(rig.video(240, &[0x1c, 1, 0, 0, 0], &lengths(4, &[IDR])), Err(Useless::OtherForm));
}

#[test]
fn of_what_is_cut_short_whole_units_are_taken() {
    let mut rig = Rig::begun();
    let whole = lengths(4, &[SEI, P, MORE]);
    for (end, came) in [(whole.len() - 1, Some(&[SEI, P][..])), (SEI.len() + 4 + 7, None), (6, None)] {
        let out = rig.video(80, INTER, &whole[..end]);
        assert_eq!(out, came.map(|units| vec![inter(80, units)]).ok_or(Useless::Framing), "{end}");
    }
    let behind = [&whole[..], b"\xde\xad\xbe\xef\0"].concat();
    assert_eq!(rig.video(120, INTER, &behind), Ok(vec![inter(120, &[SEI, P, MORE])]));
}

#[test]
fn hevc_is_put_in_the_same_form() {
    let sets: [&[u8]; 3] = [
        b"\x40\x01\x0c\x01\xff\xff\x01\x60\0\0\x03\0\x90\0\0\x03\0\0\x03\0\x1e\x95\x98\x09",
        b"\x42\x01\x01\x01\x60\0\0\x03\0\x90\0\0\x03\0\0\x03\0\x1e\xa0\x20\x81\x05\x96\x56\x69\x24\xca\xf0\x16\
          \x80\x80\0\0\x03\0\x80\0\0\x0c\x84",
        b"\x44\x01\xc1\x72\xb4\x22\x40",
    ];
    let (idr, trail, more) = (b"\x26\x01\xaf\x11", b"\x02\x01\xd0\x22", b"\x02\x01\x50\x33");
    let mut rig = Rig::default();
    let units = [sets[0], sets[1], sets[2], idr];
    let out = rig.video(0, b"\x91hvc1\0\0\0", &annex_b(&units)).unwrap();
    let [Normal::Header(Video, record)] = &out[..] else { panic!("{out:?}") };
    assert!(record.starts_with(b"\x90hvc1\x01\x01\x60"));
    let [Normal::Frame(first), Normal::Frame(second)] =
        &rig.video(40, b"\xa3hvc1", &lengths(4, &[trail])).unwrap()[..]
    else {
        panic!("the first picture waited")
    };
    assert_eq!(
        (&first.body, first.random_access),
        (&body(b"\x91hvc1\0\0\0", &lengths(4, &[idr])), Some(RandomAccess::Closed))
    );
    assert_eq!(second.body[..5], *b"\xa3hvc1");
    rig.video(40, b"\xa3hvc1", &lengths(4, &[b"", more])).unwrap_err();
    rig.video(80, b"\xa3hvc1", &lengths(4, &[trail])).unwrap();
    rig.video(80, b"\xa3hvc1", &lengths(4, &[b"", more])).unwrap();
    let joined = Frame {
        kind: Video,
        timestamp: 80,
        random_access: None,
        body: body(b"\xa3hvc1", &lengths(4, &[trail, more])),
    };
    assert_eq!(rig.end(), [Normal::Frame(joined)]);
}

fn sound(timestamp: u32, raw: &[u8]) -> Normal {
    Normal::Frame(Frame { kind: Audio, timestamp, random_access: None, body: body(&[0xaf, 1], raw) })
}
