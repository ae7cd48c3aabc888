use super::*;

fn adts(raw: &[u8]) -> Vec<u8> {
    let length = raw.len() + 7;
    let head = [0xFF, 0xF1, 0x4C, 0x40, (length >> 3) as u8, ((length & 7) << 5) as u8 | 0x1F, 0xFC];
    [&head, raw].concat()
}

#[test]
fn adts_becomes_raw_aac_with_or_without_a_header() {
    let asc = Normal::Header(Audio, Bytes::from_static(&[0xaf, 0, 0x11, 0x88]));
    for with_header in [true, false] {
        let mut rig = Rig::default();
        let mut out = Vec::new();
        if with_header {
            out = rig.push(Audio, 0, Bytes::from_static(&[0xaf, 0, 0x11, 0x88])).unwrap();
        }
        out.extend(rig.push(Audio, 0, body(&[0xaf, 1], &[adts(b"abc"), adts(b"de")].concat())).unwrap());
        assert_eq!(out, [asc.clone(), sound(0, b"abc"), sound(21, b"de")]);
        assert_eq!(rig.push(Audio, 43, body(&[0xaf, 1], &adts(b"f"))), Ok(vec![sound(43, b"f")]));
        assert_eq!(rig.push(Audio, 64, body(&[0xaf, 1], &adts(b"f")[..7])), Err(Useless::Adts));
    }
}

#[test]
fn a_header_that_the_frames_contradict_gives_way_and_one_that_says_more_does_not() {
    let mut rig = Rig::default();
    // 44.1 kHz, two channels; the frames have 48 kHz and one.
    let wrong = Bytes::from_static(&[0xaf, 0, 0x12, 0x10]);
    assert_eq!(rig.push(Audio, 0, wrong.clone()), Ok(vec![Normal::Header(Audio, wrong.clone())]));
    let out = rig.push(Audio, 0, body(&[0xaf, 1], &adts(b"abc"))).unwrap();
    assert_eq!(out, [Normal::Header(Audio, Bytes::from_static(&[0xaf, 0, 0x11, 0x88])), sound(0, b"abc")]);
    assert_eq!(rig.push(Audio, 5, wrong), Ok(vec![]), "repeated");
    // HE-AAC of 48 kHz core, signalled explicitly.
    let he = Bytes::from_static(&[0xaf, 0, 0x29, 0x89, 0x88]);
    assert_eq!(rig.push(Audio, 9, he.clone()), Ok(vec![Normal::Header(Audio, he)]));
    assert_eq!(rig.push(Audio, 21, body(&[0xaf, 1], &adts(b"abc"))), Ok(vec![sound(21, b"abc")]));
}

#[test]
fn raw_aac_needs_a_header() {
    let mut rig = Rig::default();
    let raw = Bytes::from_static(&[0xaf, 1, 0x21, 0x10]);
    assert_eq!(rig.push(Audio, 0, raw.clone()), Err(Useless::NoAudioHeader));
    assert_eq!(rig.push(Audio, 0, Bytes::from_static(&[0xaf, 0])), Ok(vec![]), "an empty header");
    assert_eq!(
        rig.push(Audio, 0, body(&[0xaf, 0], &adts(b"abc"))).unwrap().len(),
        1,
        "an ADTS header in its place"
    );
    assert_eq!(rig.push(Audio, 0, raw), Ok(vec![sound(0, &[0x21, 0x10])]));
}

#[test]
fn a_rate_that_is_spelled_out_gets_its_number() {
    let mut rig = Rig::default();
    let spelled = Bytes::from_static(&[0xaf, 0, 0x17, 0x80, 0x5d, 0xc0, 0x10]);
    let numbered = Normal::Header(Audio, Bytes::from_static(&[0xaf, 0, 0x11, 0x90]));
    assert_eq!(rig.push(Audio, 0, spelled.clone()), Ok(vec![numbered]));
    assert_eq!(rig.push(Audio, 5, spelled), Ok(vec![]), "repeated");
    let frame = Bytes::from_static(&[0xaf, 1, 0x21, 0x10]);
    assert_eq!(rig.push(Audio, 5, frame), Ok(vec![sound(5, &[0x21, 0x10])]));
}
