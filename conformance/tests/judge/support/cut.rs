//! Files of the example, cut from ffmpeg's fragments of one frame each.

use std::process::Command;

use bytes::Bytes;

/// A segment's frames go into so many parts.
const PARTS: f64 = 4.0;
const STYP: &[u8] = b"\0\0\0\x18stypmsdh\0\0\0\0msdhmsix";

pub(crate) struct Rendition {
    pub(crate) name: &'static str,
    pub(crate) size: Option<(u32, u32)>,
    pub(crate) init: Bytes,
    pub(crate) segments: Vec<Cut>,
}

/// One segment, in its parts.
pub(crate) struct Cut {
    pub(crate) seconds: f64,
    pub(crate) parts: Vec<(f64, Bytes)>,
}

impl Cut {
    pub(crate) fn file(&self) -> Bytes {
        let media = self.parts.iter().flat_map(|(_, bytes)| bytes[STYP.len()..].iter().copied());
        STYP.iter().copied().chain(media).collect()
    }
}

impl Rendition {
    /// `init`, `3`, or `3.1` for a part.
    pub(crate) fn file(&self, name: &str) -> Bytes {
        match (name, name.split_once('.')) {
            ("init", _) => self.init.clone(),
            (_, Some((number, part))) => {
                let segment: &Cut = &self.segments[number.parse::<usize>().unwrap()];
                segment.parts[part.parse::<usize>().unwrap()].1.clone()
            }
            (number, None) => self.segments[number.parse::<usize>().unwrap()].file(),
        }
    }

    /// As CODECS names it, from the bytes of `avcC`.
    pub(crate) fn codecs(&self) -> String {
        if self.size.is_none() {
            return "mp4a.40.2".into();
        }
        let at = find_all(&self.init, b"avcC")[0] + 4;
        format!("avc1.{:02x}{:02x}{:02x}", self.init[at + 1], self.init[at + 2], self.init[at + 3])
    }
}

pub(crate) fn renditions(seconds: u64) -> Vec<Rendition> {
    let gop = (20 * seconds).to_string();
    let video = |name, size: (u32, u32), frames: &str| {
        let source = format!("testsrc2=size={}x{}:rate=20", size.0, size.1);
        let bytes = ffmpeg(
            &source,
            &format!(
                "-c:v libx264 -preset veryfast -bf {frames} -g {gop} -keyint_min {gop} -sc_threshold 0 -b:v 40k \
             -pix_fmt yuv420p -video_track_timescale 90000"
            ),
        );
        cut(name, Some(size), &bytes, 90_000.0, seconds as f64)
    };
    let sound = ffmpeg("sine=frequency=440:sample_rate=48000", "-c:a aac -b:a 24k");
    vec![
        video("high", (64, 36), "2"),
        video("low", (32, 18), "0"),
        cut("sound", None, &sound, 48_000.0, seconds as f64),
    ]
}

/// Sixteen seconds from 10 s on.
fn ffmpeg(source: &str, coding: &str) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("out.mp4");
    let flags = "-movflags empty_moov+default_base_moof+frag_every_frame+frag_discont+skip_trailer -use_editlist 0 \
                 -avoid_negative_ts disabled -output_ts_offset 10";
    let status = Command::new("ffmpeg")
        .args(["-v", "error", "-f", "lavfi", "-i", source, "-t", "16"])
        .args(coding.split_whitespace().chain(flags.split_whitespace()))
        .arg(&file)
        .status()
        .expect("ffmpeg");
    assert!(status.success());
    std::fs::read(file).unwrap()
}

/// Kind, start and end of the boxes that fill `bytes`.
pub(crate) fn boxes(bytes: &[u8]) -> Vec<([u8; 4], usize, usize)> {
    let (mut found, mut at) = (Vec::new(), 0);
    while at < bytes.len() {
        let size = u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap()) as usize;
        found.push((bytes[at + 4..at + 8].try_into().unwrap(), at, at + size));
        at += size;
    }
    found
}

/// Where four bytes stand.
pub(crate) fn find_all(bytes: &[u8], kind: &[u8; 4]) -> Vec<usize> {
    (0..bytes.len().saturating_sub(3)).filter(|at| bytes[*at..*at + 4] == *kind).collect()
}

/// Video is cut at every so many seconds of frames, sound at the last frame that begins by then.
fn cut(
    name: &'static str,
    size: Option<(u32, u32)>,
    bytes: &[u8],
    timescale: f64,
    seconds: f64,
) -> Rendition {
    let all = boxes(bytes);
    let moofs: Vec<_> = all.iter().filter(|one| one.0 == *b"moof").map(|one| one.1).collect();
    let init = Bytes::copy_from_slice(&bytes[..moofs[0]]);
    let ends = moofs[1..].iter().copied().chain([bytes.len()]);
    let frames: Vec<(f64, &[u8])> = moofs
        .iter()
        .zip(ends)
        .map(|(from, to)| (time(&bytes[*from..to]) / timescale, &bytes[*from..to]))
        .collect();
    // Decode times of video lie before what is shown by as much as the first does; sound has a frame of priming.
    let shift = if size.is_some() { frames[0].0 - 10.0 } else { 0.0 };
    let frame = if size.is_some() { 0.05 } else { 1024.0 / 48_000.0 };
    let place = |at: f64| frames.iter().rposition(|(time, _)| *time - shift <= at + 1e-6).unwrap();
    let count = (16.0 / seconds) as usize;
    let edge = |segment: usize, part: f64| {
        let at = 10.0 + seconds * (segment as f64 + part / PARTS);
        if at >= 26.0 - 1e-6 { frames.len() } else { place(at) }
    };
    let segments = (0..count).map(|segment| {
        let parts = (0..PARTS as usize).map(|part| {
            let (from, to) = (edge(segment, part as f64), edge(segment, part as f64 + 1.0));
            let media = frames[from..to].iter().flat_map(|(_, bytes)| bytes.iter().copied());
            ((to - from) as f64 * frame, STYP.iter().copied().chain(media).collect())
        });
        let parts: Vec<(f64, Bytes)> = parts.collect();
        Cut { seconds: parts.iter().map(|(seconds, _)| seconds).sum(), parts }
    });
    Rendition { name, size, init, segments: segments.collect() }
}

fn time(fragment: &[u8]) -> f64 {
    let at = find_all(fragment, b"tfdt")[0] + 4;
    match fragment[at] {
        0 => f64::from(u32::from_be_bytes(fragment[at + 4..at + 8].try_into().unwrap())),
        _ => u64::from_be_bytes(fragment[at + 4..at + 12].try_into().unwrap()) as f64,
    }
}
