//! Takes apart MP4 with a fragment for each sample: what FFmpeg 5.1 cannot put into FLV comes from there.

use super::message::{Message, VIDEO};

/// One coded picture.
pub struct Sample {
    /// Milliseconds.
    pub time: u32,
    /// PTS less DTS, milliseconds.
    pub later: i32,
    pub key: bool,
    pub data: Vec<u8>,
}

fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap())
}

fn find<'a>(bytes: &'a [u8], kind: &[u8; 4]) -> Option<&'a [u8]> {
    let at = bytes.windows(4).position(|four| four == kind)?;
    let size = word(bytes, at - 4) as usize;
    Some(&bytes[at + 4..at - 4 + size])
}

/// The decoder configuration in the box `kind`, and the samples of the only track.
pub fn read(file: &[u8], kind: &[u8; 4]) -> (Vec<u8>, Vec<Sample>) {
    let config = find(file, kind).unwrap_or_default().to_vec();
    let scale = u64::from(word(find(file, b"mdhd").unwrap(), 12));
    let (mut samples, mut rest, mut moof) = (Vec::new(), file, &file[..0]);
    while rest.len() >= 8 {
        let (one, behind) = rest.split_at(word(rest, 0) as usize);
        match &one[4..8] {
            b"moof" => moof = one,
            b"mdat" => samples.push(sample(moof, &one[8..], scale)),
            _ => {}
        }
        rest = behind;
    }
    (config, samples)
}

fn sample(moof: &[u8], data: &[u8], scale: u64) -> Sample {
    let (tfdt, tfhd, trun) =
        (find(moof, b"tfdt").unwrap(), find(moof, b"tfhd").unwrap(), find(moof, b"trun").unwrap());
    let time = if tfdt[0] == 1 {
        u64::from(word(tfdt, 4)) << 32 | u64::from(word(tfdt, 8))
    } else {
        word(tfdt, 4).into()
    };
    let flags = word(trun, 0) & 0xff_ffff;
    // Behind version and count: data offset, flags of the first; then duration, size, flags, composition time.
    let mut at = 8 + if flags & 1 != 0 { 4 } else { 0 };
    let mut sample_flags = (flags & 4 != 0).then(|| word(trun, at));
    at += if flags & 4 != 0 { 4 } else { 0 };
    at += [0x100, 0x200].iter().filter(|bit| flags & **bit != 0).count() * 4;
    if flags & 0x400 != 0 {
        sample_flags = Some(word(trun, at));
        at += 4;
    }
    let later = if flags & 0x800 != 0 { word(trun, at).cast_signed() } else { 0 };
    // Without flags of its own it has those of the header, which come last.
    let sample_flags = sample_flags.unwrap_or_else(|| word(tfhd, tfhd.len() - 4));
    let millis = |ticks: i64| (ticks * 1_000 + scale as i64 / 2).div_euclid(scale as i64);
    let dts = millis(time as i64);
    Sample {
        time: dts as u32,
        later: (millis(time as i64 + i64::from(later)) - dts) as i32,
        key: sample_flags & 0x1_0000 == 0,
        data: data.to_vec(),
    }
}

/// As messages of Enhanced RTMP: sequence start, then coded frames, without composition time where it is not needed.
pub fn enhanced(code: &[u8; 4], (config, samples): (Vec<u8>, Vec<Sample>)) -> Vec<Message> {
    let mut all = Vec::new();
    if !config.is_empty() {
        all.push(Message::new(VIDEO, 0, [&[0x90], &code[..], &config].concat()));
    }
    for one in samples {
        let frame = if one.key { 0x90 } else { 0xa0 };
        let timed = [*b"avc1", *b"hvc1"].contains(code) && one.later != 0;
        let head = match (timed, [*b"avc1", *b"hvc1"].contains(code)) {
            (true, _) => [&[frame | 1], &code[..], &one.later.to_be_bytes()[1..]].concat(),
            (false, true) => [&[frame | 3], &code[..]].concat(),
            (false, false) => [&[frame | 1], &code[..]].concat(),
        };
        all.push(Message::new(VIDEO, one.time, [head, one.data].concat()));
    }
    all
}
