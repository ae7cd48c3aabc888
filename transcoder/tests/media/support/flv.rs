//! Sources: FLV made by the ffmpeg command, with cursors in StreamID as the gateway puts them, and served from the last
//! IDR at or before a cursor as the gateway serves it.

use std::process::Command;

use headwater_rtmp::MediaKind;
use headwater_rtmp::codec::{AudioPacket, AudioTag, FrameType, VideoPacket, VideoTag};
use headwater_rtmp::flv::{FILE_HEADER_LEN, TAG_HEADER_LEN, TAG_TRAILER_LEN, TagHead, TagKind};

/// First cursor of every test source: high, so that 24 bits are not enough.
pub const FIRST_CURSOR: u64 = (3 << 24) | 0xff_ff00;

/// One FLV tag, PreviousTagSize included.
#[derive(Clone)]
pub struct Tag {
    pub bytes: Vec<u8>,
    pub cursor: u64,
    pub millis: u32,
    pub video: bool,
    pub audio: bool,
    pub header: bool,
    pub key: bool,
    /// A key picture behind which pictures may follow that are shown before it.
    pub open: bool,
}

/// A source taken apart.
#[derive(Clone)]
pub struct Flv {
    pub tags: Vec<Tag>,
}

/// Runs ffmpeg with `args` and takes its FLV apart.
pub fn make(args: &str) -> Flv {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("source.flv");
    let out = Command::new("ffmpeg")
        .args(["-v", "error", "-nostdin", "-threads", "1"])
        .args(args.split_whitespace())
        .args(["-flvflags", "no_duration_filesize", "-f", "flv"])
        .arg(&path)
        .output()
        .unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    Flv::parse(&std::fs::read(&path).unwrap())
}

/// testsrc2 video with these encoder options and a sine, both of `secs` seconds.
pub fn clip(size: &str, rate: &str, secs: f64, x264: &str) -> Flv {
    make(&format!(
        "-f lavfi -i testsrc2=size={size}:rate={rate} -f lavfi -i sine=frequency=440:sample_rate=48000 -t {secs} \
         -c:v libx264 -preset veryfast -pix_fmt yuv420p {x264} -c:a aac -ac 2 -b:a 96k"
    ))
}

#[derive(PartialEq, Eq)]
enum Content {
    Header,
    Media,
    /// Nothing that a gateway would pass on: end of sequence, metadata of video.
    Nothing,
}

/// What a tag holds, classic or enhanced.
fn content(head: TagHead, body: &[u8]) -> Content {
    match head.kind() {
        Some(TagKind::Media(MediaKind::Video)) => match VideoTag::parse(body).unwrap().packet {
            VideoPacket::SequenceHeader => Content::Header,
            VideoPacket::Frames => Content::Media,
            VideoPacket::SequenceEnd | VideoPacket::Other => Content::Nothing,
        },
        Some(TagKind::Media(MediaKind::Audio)) => match AudioTag::parse(body).unwrap().packet {
            AudioPacket::SequenceHeader => Content::Header,
            AudioPacket::Frames => Content::Media,
            AudioPacket::SequenceEnd | AudioPacket::Other => Content::Nothing,
        },
        Some(TagKind::Script) | None => Content::Header,
    }
}

impl Flv {
    pub fn parse(bytes: &[u8]) -> Self {
        let mut at = FILE_HEADER_LEN;
        let mut cursor = FIRST_CURSOR;
        let mut tags = Vec::new();
        while let Some(head) = TagHead::read(&bytes[at..]) {
            let end = at + head.tag_len();
            let body = &bytes[at + TAG_HEADER_LEN..end - TAG_TRAILER_LEN];
            let is = |kind| head.kind() == Some(TagKind::Media(kind));
            let (video, audio) = (is(MediaKind::Video), is(MediaKind::Audio));
            let what = content(head, body);
            let media = what == Content::Media;
            if what != Content::Nothing {
                let mut tag = Tag {
                    bytes: bytes[at..end].to_vec(),
                    cursor: if media { cursor } else { 0 },
                    millis: head.timestamp_ms,
                    video,
                    audio,
                    header: !media,
                    key: media && video && VideoTag::parse(body).unwrap().frame_type == FrameType::Key,
                    open: false,
                };
                let low = (tag.cursor as u32).to_be_bytes();
                tag.bytes[8..11].copy_from_slice(&low[1..]);
                tags.push(tag);
                // Cursors need not be consecutive.
                cursor += if media { 1 + u64::from(tags.len() % 7 == 0) } else { 0 };
            }
            at = end;
        }
        Self { tags }
    }

    pub fn filter(&self, keep: impl Fn(&Tag) -> bool) -> Self {
        Self { tags: self.tags.iter().filter(|t| keep(t)).cloned().collect() }
    }

    /// The same with other times: `millis` of each tag goes through `time`.
    pub fn retimed(&self, time: impl Fn(&Tag) -> u32) -> Self {
        let mut tags = self.tags.clone();
        for tag in &mut tags {
            tag.millis = time(tag);
            let [high, rest @ ..] = tag.millis.to_be_bytes();
            tag.bytes[4..7].copy_from_slice(&rest);
            tag.bytes[7] = high;
        }
        Self { tags }
    }

    /// `other` behind it from `at` milliseconds on, its sequence headers included.
    pub fn then(&self, other: &Self, at: u32) -> Self {
        let mut tags: Vec<Tag> = self.tags.iter().filter(|t| t.millis < at).cloned().collect();
        let base = tags.iter().map(|t| t.cursor).max().unwrap() + 1 - FIRST_CURSOR;
        for mut tag in other.retimed(|t| t.millis + at).tags {
            if tag.header {
                tags.push(tag);
                continue;
            }
            tag.cursor += base;
            tag.bytes[8..11].copy_from_slice(&(tag.cursor as u32).to_be_bytes()[1..]);
            tags.push(tag);
        }
        Self { tags }
    }

    /// The whole run.
    pub fn bytes(&self) -> Vec<u8> {
        self.serve(0).0
    }

    /// What the gateway sends for `?after=cursor`, and `Headwater-Cursor`.
    pub fn serve(&self, after: u64) -> (Vec<u8>, u64) {
        let media = || self.tags.iter().filter(|t| !t.header);
        let mut passed_open = false;
        let mut keys = media().rev().filter(|t| t.key && t.cursor <= after);
        let idr = keys.find(|t| !t.open || std::mem::replace(&mut passed_open, true)).map(|t| t.cursor);
        let has_video = media().any(|t| t.video);
        let from = match idr {
            Some(cursor) => cursor,
            None if has_video || after == 0 => 0,
            None => after + 1,
        };
        let mut bytes = b"FLV\x01\x05\0\0\0\x09\0\0\0\0".to_vec();
        if !has_video {
            bytes[4] = 4;
        }
        // One response has one set of headers: those in front of where it starts.
        let at = self.tags.iter().position(|t| !t.header && t.cursor >= from).unwrap_or(self.tags.len());
        let mut headers: Vec<&Tag> = Vec::new();
        for tag in self.tags[..at].iter().filter(|t| t.header) {
            headers.retain(|h| (h.video, h.audio) != (tag.video, tag.audio));
            headers.push(tag);
        }
        for tag in headers.into_iter().chain(&self.tags[at..]) {
            bytes.extend_from_slice(&tag.bytes);
        }
        let first = media().map(|t| t.cursor).find(|&c| c >= from).unwrap_or(FIRST_CURSOR);
        (bytes, first)
    }
}
