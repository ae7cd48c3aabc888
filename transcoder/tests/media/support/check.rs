//! Looks at segments with tools that are not ours: ffprobe, ffmpeg, and a few bytes of ISO BMFF.

use std::process::Command;

use headwater_transcoder::media::{RenditionKind, Segment};

/// A packet as ffprobe sees it in the concatenated rendition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet {
    pub pts: i64,
    pub dts: i64,
    pub key: bool,
}

/// init and all segments of a rendition in one.
pub fn concatenated(segments: &[Segment], name: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    for segment in segments {
        let rendition = segment.renditions.iter().find(|r| r.name == name).unwrap();
        if bytes.is_empty() {
            bytes.extend_from_slice(&rendition.init);
        }
        bytes.extend_from_slice(&rendition.data);
    }
    bytes
}

fn tool(name: &str, args: &[&str], input: &[u8]) -> Vec<u8> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("in.mp4");
    std::fs::write(&path, input).unwrap();
    let path = path.to_str().unwrap();
    let args: Vec<&str> = args.iter().map(|a| if *a == "IN" { path } else { a }).collect();
    let out = Command::new(name).args(&args).output().unwrap();
    let complaints = String::from_utf8_lossy(&out.stderr);
    assert!(out.status.success() && complaints.trim().is_empty(), "{name} {args:?}: {complaints}");
    out.stdout
}

pub fn packets(mp4: &[u8]) -> Vec<Packet> {
    let entries = "packet=pts,dts,flags";
    let csv = tool("ffprobe", &["-v", "error", "-show_entries", entries, "-of", "csv=p=0", "IN"], mp4);
    let number = |s: &str| s.parse::<i64>().unwrap_or_else(|_| panic!("ffprobe says {s:?}"));
    String::from_utf8(csv)
        .unwrap()
        .lines()
        .map(|line| {
            let mut f = line.split(',');
            let mut next = || f.next().unwrap();
            Packet { pts: number(next()), dts: number(next()), key: next().contains('K') }
        })
        .collect()
}

/// Hashes of the compressed packets of one track, in order.
pub fn payloads(file: &[u8], track: &str) -> Vec<String> {
    let map = format!("0:{track}");
    let args = ["-v", "error", "-i", "IN", "-map", &map, "-c", "copy", "-f", "framemd5", "-"];
    let lines = String::from_utf8(tool("ffmpeg", &args, file)).unwrap();
    let hash = |line: &str| line.rsplit(',').next().map(|hash| hash.trim().to_owned());
    lines.lines().filter(|line| !line.starts_with('#')).filter_map(hash).collect()
}

/// Decoded sound, mono f32 at 48 kHz, and the sample it starts at.
pub fn sound(mp4: &[u8]) -> Vec<f32> {
    let args = ["-v", "error", "-i", "IN", "-map", "0:a", "-ac", "1", "-f", "f32le", "-"];
    let raw = tool("ffmpeg", &args, mp4);
    raw.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect()
}

/// Mean luma of each decoded picture.
pub fn luma(mp4: &[u8]) -> Vec<u8> {
    let args = [
        "-v",
        "error",
        "-i",
        "IN",
        "-vsync",
        "0",
        "-enc_time_base",
        "-1",
        "-vf",
        "scale=1:1:flags=area,format=gray",
        "-f",
        "rawvideo",
        "-",
    ];
    tool("ffmpeg", &args, mp4)
}

/// What a filter of ffmpeg says of the pictures.
pub fn filtered(mp4: &[u8], filter: &str) -> String {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("in.mp4");
    std::fs::write(&path, mp4).unwrap();
    let out = Command::new("ffmpeg")
        .args(["-nostdin", "-v", "info", "-i"])
        .arg(&path)
        .args(["-vf", filter, "-f", "null", "-"])
        .output()
        .unwrap();
    String::from_utf8_lossy(&out.stderr).into_owned()
}

/// How far two encodes of one picture may lie apart, as mean luma.
const LUMA: u8 = 2;
/// The same of one sample of sound, of 1.
const SAMPLE: f32 = 0.01;

/// Both are the same media: the same renditions and initialization sections, and what is decoded of them is shown and
/// heard at the same instants. Encoded bytes are not compared: x264 with AVX-512, mbtree and B-frames makes others of the
/// same pictures in each run (r3095), so they say nothing of what a viewer sees.
pub fn same_media(a: &[Segment], b: &[Segment]) {
    let spans = |s: &[Segment]| s.iter().map(|s| (s.number, s.video, s.audio, s.frames)).collect::<Vec<_>>();
    assert_eq!(spans(a), spans(b));
    let headers = |s: &[Segment]| {
        let of_one = |s: &Segment| {
            s.renditions
                .iter()
                .map(|r| (r.name.clone(), r.codecs.clone(), r.init.clone()))
                .collect::<Vec<_>>()
        };
        s.iter().map(of_one).collect::<Vec<_>>()
    };
    assert_eq!(headers(a), headers(b));
    for rendition in &a[0].renditions {
        let name = &rendition.name;
        let (a, b) = (concatenated(a, name), concatenated(b, name));
        assert_eq!(packets(&a), packets(&b), "{name}");
        match rendition.kind {
            RenditionKind::Video { .. } => {
                let (a, b) = (luma(&a), luma(&b));
                assert_eq!(a.len(), b.len(), "{name}");
                let apart = a.iter().zip(&b).map(|(a, b)| a.abs_diff(*b)).max().unwrap();
                assert!(apart <= LUMA, "{name}: {apart}");
            }
            RenditionKind::Audio { .. } => {
                let (a, b) = (sound(&a), sound(&b));
                assert_eq!(a.len(), b.len(), "{name}");
                let apart = a.iter().zip(&b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
                assert!(apart <= SAMPLE, "{name}: {apart}");
            }
        }
    }
}

pub fn decodes_cleanly(mp4: &[u8]) {
    tool(
        "ffmpeg",
        &["-v", "error", "-xerror", "-i", "IN", "-vsync", "0", "-enc_time_base", "-1", "-f", "null", "-"],
        mp4,
    );
}

fn tfdt(data: &[u8]) -> i64 {
    let at = data.windows(4).position(|w| w == b"tfdt").unwrap() + 4;
    assert_eq!(data[at], 1, "64-bit tfdt");
    i64::from_be_bytes(data[at + 4..at + 12].try_into().unwrap())
}

/// Sum of the sample durations of a segment: of all its parts.
fn duration(data: &[u8]) -> i64 {
    let (mut at, mut sum) = (0, 0);
    while at < data.len() {
        let size = u32::from_be_bytes(data[at..at + 4].try_into().unwrap()) as usize;
        if &data[at + 4..at + 8] == b"moof" {
            sum += duration_of_fragment(&data[at..at + size]);
        }
        at += size;
    }
    sum
}

fn fragments(data: &[u8]) -> usize {
    data.windows(4).filter(|w| w == b"moof").count()
}

/// From `tfhd` and `trun` (ISO/IEC 14496-12 section 8.8).
fn duration_of_fragment(data: &[u8]) -> i64 {
    let word = |at: usize| u32::from_be_bytes(data[at..at + 4].try_into().unwrap());
    let find = |kind: &[u8]| data.windows(4).position(|w| w == kind).unwrap() + 4;
    let (tfhd, trun) = (find(b"tfhd"), find(b"trun"));
    let (flags, count) = (word(trun) & 0xff_ffff, word(trun + 4));
    let size = |bits: &[u32]| bits.iter().filter(|bit| flags & **bit != 0).count() * 4;
    if flags & 0x100 == 0 {
        assert_ne!(word(tfhd) & 8, 0, "default duration");
        let before = [1, 2].iter().filter(|bit| word(tfhd) & **bit != 0).count() * 4;
        return i64::from(count) * i64::from(word(tfhd + 8 + before));
    }
    let (head, entry) = (size(&[1, 4]), size(&[0x100, 0x200, 0x400, 0x800]));
    (0..count as usize).map(|i| i64::from(word(trun + 8 + head + i * entry))).sum()
}

/// Type of the first slice of a segment: 5 is an IDR.
fn first_slice(data: &[u8]) -> u8 {
    let mut at = data.windows(4).position(|w| w == b"mdat").unwrap() + 4;
    loop {
        let kind = data[at + 4] & 31;
        if matches!(kind, 1..=5) {
            return kind;
        }
        at += 4 + u32::from_be_bytes(data[at..at + 4].try_into().unwrap()) as usize;
    }
}

/// Everything that must hold for the segments of one or more runs that continue each other without discontinuity.
/// Returns the packets of the first rendition.
pub fn consistent(segments: &[Segment]) -> Vec<Packet> {
    assert!(!segments.is_empty());
    for pair in segments.windows(2) {
        assert_eq!(pair[0].number + 1, pair[1].number);
        assert!(pair[0].cursor <= pair[1].cursor);
        if let (Some(a), Some(b)) = (pair[0].video, pair[1].video) {
            assert_eq!(a.end, b.start);
        }
        if let (Some(a), Some(b)) = (pair[0].audio, pair[1].audio) {
            assert_eq!(a.to, b.from);
        }
    }
    let mut first = None;
    let mut video_times: Option<Vec<i64>> = None;
    for (index, model) in segments[0].renditions.iter().enumerate() {
        let mp4 = concatenated(segments, &model.name);
        decodes_cleanly(&mp4);
        let packets = packets(&mp4);
        for pair in packets.windows(2) {
            let reordered = matches!(model.kind, RenditionKind::Video { .. });
            let rises = pair[1].dts > pair[0].dts && (reordered || pair[1].pts > pair[0].pts);
            assert!(rises, "{}: {pair:?}", model.name);
            let audio = matches!(model.kind, RenditionKind::Audio { .. });
            assert!(!audio || pair[0].pts + 1024 == pair[1].pts, "{pair:?}");
        }
        for segment in segments {
            let r = &segment.renditions[index];
            assert_eq!(
                (&r.init, &r.name, &r.codecs, &r.kind),
                (&model.init, &model.name, &model.codecs, &model.kind)
            );
            match r.kind {
                RenditionKind::Video { .. } => {
                    let span = segment.video.unwrap();
                    // B-frames are decoded before they are shown, and all that goes with them.
                    assert!(tfdt(&r.data) <= span.start.ticks());
                    assert_eq!(first_slice(&r.data), 5, "{} {}", r.name, segment.number);
                    let inside =
                        packets.iter().filter(|p| (span.start.ticks()..span.end.ticks()).contains(&p.pts));
                    assert_eq!(inside.count() as u32, segment.frames);
                }
                RenditionKind::Audio { .. } => {
                    let span = segment.audio.unwrap();
                    assert_eq!(tfdt(&r.data) as u64, span.start_sample());
                    assert_eq!(duration(&r.data) as u64, span.samples());
                    if let Some(video) = segment.video {
                        assert_eq!(span.to, video.end.frame().max(span.to));
                    }
                }
            }
        }
        match model.kind {
            RenditionKind::Video { .. } => {
                assert!(packets.iter().all(|p| p.pts >= p.dts));
                assert!(packets[0].key && model.codecs.starts_with("avc1."));
                let keys = packets.iter().filter(|p| p.key).count();
                // A successor begins behind parts that are out with a key frame of its own.
                let in_parts = segments.iter().any(|s| fragments(&s.renditions[index].data) > 1);
                assert!(keys == segments.len() || model.copied || (in_parts && keys == segments.len() + 1));
                for pair in segments.windows(2) {
                    let (a, b) = (&pair[0].renditions[index].data, &pair[1].renditions[index].data);
                    assert_eq!(tfdt(a) + duration(a), tfdt(b), "{} {}", model.name, pair[1].number);
                }
                let mut times: Vec<i64> = packets.iter().map(|p| p.pts).collect();
                times.sort_unstable();
                assert_eq!(*video_times.get_or_insert_with(|| times.clone()), times);
            }
            RenditionKind::Audio { .. } => {
                assert!(packets.iter().all(|p| p.pts % 1024 == 0));
                assert_eq!(model.codecs, "mp4a.40.2");
            }
        }
        first.get_or_insert(packets);
    }
    first.unwrap()
}
