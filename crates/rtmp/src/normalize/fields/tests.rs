use super::super::framing::Framing;
use super::super::nal::Syntax;
use super::*;

/// Main profile, eight bits of frame_num, frames and fields; picture order of each type.
const SEQUENCES: [&[u8]; 3] = [
    b"\x67\x4d\0\x28\x96\x35\x06\x10\x90",
    b"\x67\x4d\0\x28\x95\x13\x64\x2a\x0c\x21\x20",
    b"\x67\x4d\0\x28\x95\xa0\xc2\x12",
];
/// The same of High profile, with scaling lists: one whole, one that ends early.
const SCALED: &[u8] = b"\x67\x64\0\x28\xad\xff\xff\xc2\x20\x16\x35\x06\x10\x90";
/// The same, frames alone.
const PROGRESSIVE: &[u8] = b"\x67\x4d\0\x28\x96\x35\x06\x13\x20";
const PPS: &[u8] = b"\x68\xce\x3c\x80";

const FRAME: &[u8] = b"\x61\x88\x81\x95\x55\x40";
const TOP: &[u8] = b"\x61\x88\x81\xca\xaa\xa0";
const BOTTOM: &[u8] = b"\x61\x88\x81\xea\xaa\xa0";
const DISPOSABLE: &[u8] = b"\x01\x88\x81\xea\xaa\xa0";
const NEXT: &[u8] = b"\x61\x88\x82\x6a\xaa\xa0";
const IDR: &[u8] = b"\x65\x88\x80\x4a\xaa\xa0";
const BEHIND_IDR: &[u8] = b"\x61\x88\x80\x6a\xaa\xa0";

fn sets(sequence: &[u8]) -> ParameterSets {
    let annex_b = [b"\0\0\x01", sequence, b"\0\0\x01", PPS].concat();
    assert_eq!(Framing::of(&annex_b, 4), Some(Framing::StartCodes));
    ParameterSets::read(Syntax::Avc, &annex_b).unwrap().0
}

#[test]
fn two_fields_of_a_picture_are_told_from_those_of_two() {
    for sequence in SEQUENCES.into_iter().chain([SCALED]) {
        let sets = sets(sequence);
        let field = |slice| Field::of(slice, &sets).unwrap();
        assert_eq!(Field::of(FRAME, &sets), None);
        let top = field(TOP);
        assert_eq!((top.frame_num, top.is_bottom), (3, false));
        assert!(field(BOTTOM).is_second_of(top) && top.is_second_of(field(BOTTOM)));
        assert!(field(BEHIND_IDR).is_second_of(field(IDR)));
        for other in [TOP, DISPOSABLE, NEXT, IDR] {
            assert!(!field(other).is_second_of(top), "{other:x?}");
        }
        assert!(!field(IDR).is_second_of(field(BEHIND_IDR)), "an IDR begins a picture");
    }
}

#[test]
fn frames_and_what_cannot_be_read_are_no_fields() {
    assert_eq!(Field::of(TOP, &sets(PROGRESSIVE)), None);
    assert_eq!(Field::of(TOP, &ParameterSets::new(Syntax::Avc)), None);
    for sequence in SEQUENCES.into_iter().chain([SCALED]) {
        for length in 0..sequence.len() {
            let mut cut = ParameterSets::new(Syntax::Avc);
            cut.learn(SetKind::Sequence, &sequence[..length]);
            cut.learn(SetKind::Picture, PPS);
            let _ = Field::of(TOP, &cut);
        }
        let whole = sets(sequence);
        for length in 0..4 {
            assert_eq!(Field::of(&TOP[..length], &whole), None);
        }
    }
}
