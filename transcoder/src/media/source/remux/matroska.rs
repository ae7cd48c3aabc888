//! The little of Matroska (RFC 9559) that a demuxer needs to read a live stream: header, tracks, and one cluster a
//! block, so that a demuxer's positions tell blocks apart and every block carries its whole time.

use super::ebml::{binary, endless, master, number, open, text};

const EBML: u32 = 0x1a45_dfa3;
const EBML_READ_VERSION: u32 = 0x42f7;
const DOC_TYPE: u32 = 0x4282;
const DOC_TYPE_VERSION: u32 = 0x4287;
const DOC_TYPE_READ_VERSION: u32 = 0x4285;
const SEGMENT: u32 = 0x1853_8067;
const INFO: u32 = 0x1549_a966;
const TIMESTAMP_SCALE: u32 = 0x2a_d7b1;
const MUXING_APP: u32 = 0x4d80;
const WRITING_APP: u32 = 0x5741;
const TRACKS: u32 = 0x1654_ae6b;
const TRACK_ENTRY: u32 = 0xae;
const TRACK_NUMBER: u32 = 0xd7;
const TRACK_UID: u32 = 0x73c5;
const TRACK_TYPE: u32 = 0x83;
const FLAG_LACING: u32 = 0x9c;
const CODEC_ID: u32 = 0x86;
const CODEC_PRIVATE: u32 = 0x63a2;
const DEFAULT_DURATION: u32 = 0x23_e383;
const CLUSTER: u32 = 0x1f43_b675;
const TIMESTAMP: u32 = 0xe7;
const SIMPLE_BLOCK: u32 = 0xa3;

/// Nanoseconds of a millisecond, FLV's unit of time.
const MILLISECOND: u64 = 1_000_000;
const KEYFRAME: u8 = 0x80;
const NAME: &str = "headwater";

/// What a track is, by its Matroska number. There is at most one of each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum MatroskaKind {
    Video = 1,
    Audio = 2,
}

/// One track.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct MatroskaTrack<'a> {
    pub(crate) kind: MatroskaKind,
    pub(crate) codec: &'a str,
    /// What the decoder must know first; empty if nothing.
    pub(super) private: &'a [u8],
    /// Pictures a second, as the source claims.
    pub(crate) frame_rate: Option<f64>,
}

/// Everything before the first block.
pub(crate) fn head(out: &mut Vec<u8>, tracks: &[MatroskaTrack<'_>]) {
    master(out, EBML, |out| {
        number(out, EBML_READ_VERSION, 1);
        text(out, DOC_TYPE, "matroska");
        number(out, DOC_TYPE_VERSION, 4);
        number(out, DOC_TYPE_READ_VERSION, 2);
    });
    endless(out, SEGMENT);
    master(out, INFO, |out| {
        number(out, TIMESTAMP_SCALE, MILLISECOND);
        text(out, MUXING_APP, NAME);
        text(out, WRITING_APP, NAME);
    });
    master(out, TRACKS, |out| tracks.iter().for_each(|track| entry(out, track)));
}

fn entry(out: &mut Vec<u8>, track: &MatroskaTrack<'_>) {
    master(out, TRACK_ENTRY, |out| {
        // Number, UID and type may be the same: 1 is video and 2 is audio to Matroska, too.
        let kind = track.kind as u64;
        number(out, TRACK_NUMBER, kind);
        number(out, TRACK_UID, kind);
        number(out, TRACK_TYPE, kind);
        number(out, FLAG_LACING, 0);
        text(out, CODEC_ID, track.codec);
        if !track.private.is_empty() {
            binary(out, CODEC_PRIVATE, track.private);
        }
        if let Some(rate) = track.frame_rate {
            number(out, DEFAULT_DURATION, (1e9 / rate).round() as u64);
        }
    });
}

/// A block at `millis`, in a cluster of its own.
pub(crate) fn block(out: &mut Vec<u8>, kind: MatroskaKind, millis: u64, key: bool, data: &[u8]) {
    // Track number in one byte with its length marker, time relative to the cluster (none), flags.
    let header = [0x80 | kind as u8, 0, 0, if key { KEYFRAME } else { 0 }];
    let length = (header.len() + data.len()) as u64;
    let mut start = Vec::with_capacity(32);
    number(&mut start, TIMESTAMP, millis);
    open(&mut start, SIMPLE_BLOCK, length);
    start.extend_from_slice(&header);
    open(out, CLUSTER, (start.len() + data.len()) as u64);
    out.extend_from_slice(&start);
    out.extend_from_slice(data);
}
