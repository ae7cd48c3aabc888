use super::*;

/// What x264 and x265 make, in the records that FFmpeg writes for them.
const AVCC: &str =
    "0164000affe100186764000aacd9447b011000000300100000030320f122596001000668ebe3cb22c0fdf8f800";
const HVCC: &str = "0101600000009000000000001ef000fcfdf8f800000f03\
     a00001001840010c01ffff01600000030090000003000003001e959809\
     a10001002842010101600000030090000003000003001ea020810596566924caf0168080000003008000000c84\
     a2000100074401c172b42240";

fn hex(text: &str) -> Vec<u8> {
    (0..text.len() / 2).map(|n| u8::from_str_radix(&text[2 * n..2 * n + 2], 16).unwrap()).collect()
}

fn units(syntax: Syntax, record: &[u8]) -> Vec<Bytes> {
    let (sets, _) = ParameterSets::read(syntax, record).unwrap();
    sets.sets.into_values().collect()
}

/// What is learnt of the NAL units alone.
fn learnt(syntax: Syntax, units: &[Bytes]) -> ParameterSets {
    let mut sets = ParameterSets::new(syntax);
    units.iter().for_each(|unit| sets.learn_any(unit));
    sets
}

#[test]
fn records_are_made_of_parameter_sets_as_ffmpeg_makes_them() {
    for (syntax, record, count) in [(Syntax::Avc, hex(AVCC), 2), (Syntax::Hevc, hex(HVCC), 3)] {
        let units = units(syntax, &record);
        assert_eq!(units.len(), count, "{syntax:?}");
        assert_eq!(learnt(syntax, &units).record().unwrap()[..], record[..], "{syntax:?}");
    }
}

#[test]
fn annex_b_in_place_of_a_record_is_understood() {
    for (syntax, record) in [(Syntax::Avc, hex(AVCC)), (Syntax::Hevc, hex(HVCC))] {
        for code in [&b"\0\0\0\x01"[..], b"\0\0\x01"] {
            let annex_b =
                units(syntax, &record).iter().map(|unit| [code, unit].concat()).collect::<Vec<_>>().concat();
            let (sets, length_size) = ParameterSets::read(syntax, &annex_b).unwrap();
            assert_eq!((&sets.record().unwrap()[..], length_size), (&record[..], None));
        }
    }
}

#[test]
fn the_newest_set_of_an_id_counts_and_others_stay() {
    let units = units(Syntax::Avc, &hex(AVCC));
    let mut sets = learnt(Syntax::Avc, &units);
    let before = sets.clone();
    sets.learn(SetKind::Sequence, &units[0]);
    assert_eq!(sets, before, "nothing new");
    // pic_parameter_set_id 1 (010) instead of 0 (1).
    let another = [&[0x68, 0b0101_1010][..], &units[1][2..]].concat();
    sets.learn(SetKind::Picture, &another);
    assert!(sets.knows(SetKind::Picture, &another) && sets.knows(SetKind::Picture, &units[1]));
    let changed = [&units[1][..], &[0x80]].concat();
    sets.learn(SetKind::Picture, &changed);
    assert!(sets.knows(SetKind::Picture, &changed) && !sets.knows(SetKind::Picture, &units[1]));
    let (read, length_size) = ParameterSets::read(Syntax::Avc, &sets.record().unwrap()).unwrap();
    assert_eq!((read, length_size), (sets, Some(4)));
}

#[test]
fn records_that_end_early_are_read_as_far_as_they_go() {
    for (syntax, record) in [(Syntax::Avc, hex(AVCC)), (Syntax::Hevc, hex(HVCC))] {
        let head = if syntax == Syntax::Avc { 5 } else { 22 };
        for end in 0..record.len() {
            let read = ParameterSets::read(syntax, &record[..end]);
            assert_eq!(read.is_some(), end >= head, "{syntax:?} {end}");
            let whole = ParameterSets::read(syntax, &record).unwrap().0;
            assert!(read.is_none_or(|(sets, _)| sets.sets.iter().all(|(id, set)| whole.sets[id] == set)));
        }
    }
}

#[test]
fn sets_without_end_are_bounded() {
    let mut sets = ParameterSets::new(Syntax::Avc);
    for id in 0_u8..=255 {
        // An id as ue(v) of 17 bits, and a kilobyte of payload.
        let mut unit = vec![0x68, 0, 0x80 | id >> 1, id << 7 | 0x7F];
        unit.resize(1_024, 0xFF);
        sets.learn(SetKind::Picture, &unit);
    }
    assert!(sets.bytes() <= MAX_RECORD_BYTES);
    assert!(!sets.is_complete() && sets.record().is_none());
}

#[test]
fn lengths_of_a_record_are_made_long() {
    let short = [&[1, 100, 0, 10, 0xFC][..], &hex(AVCC)[5..]].concat();
    assert_eq!(ParameterSets::read(Syntax::Avc, &short).unwrap().1, Some(1));
    assert_eq!(with_long_lengths(Syntax::Avc, &short), hex(AVCC));
}
