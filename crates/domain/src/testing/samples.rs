//! Sample values.

use crate::ids::{BroadcastId, KeyId, Lease, LeaseNumber, Nonce, Region, SegmentNumber, SessionId, StreamId};
use crate::objects::Retention;
use crate::paths::{ApiPath, EdgePath, ObjectFile, ObjectPath, PartPath, init_path};
use crate::stream::{StreamDocument, StreamSettings};
use crate::time::{MediaTime, Span, Timestamp};
use crate::timeline::{EPOCH, Entry, EntryRendition, SourcePosition, TrackKind};
use crate::tokens::SourceRight;

/// Region A.
pub fn region_a() -> Region {
    "us-east-1".parse().expect("a region")
}

/// Region B.
pub fn region_b() -> Region {
    "eu-west-1".parse().expect("a region")
}

/// A stream's id.
pub fn stream_id() -> StreamId {
    StreamId::from_random(1)
}

/// A stream.
pub fn stream() -> StreamDocument {
    StreamDocument {
        id: stream_id(),
        region: region_a(),
        version: 1,
        name: "sample".into(),
        created_at: Timestamp(1_000),
        updated_at: Timestamp(1_000),
        deleted_at: None,
        settings: StreamSettings::default(),
    }
}

/// A broadcast of it.
pub fn broadcast() -> BroadcastId {
    BroadcastId::new(&stream_id(), 1_700_000_000_000, 1)
}

/// A lease with this number, in region A.
pub fn lease(number: u32) -> Lease {
    Lease { number: LeaseNumber(number), region: region_a(), nonce: Nonce::from_random(number.into()) }
}

/// What the task of the lease with this number, which holds, may do with a source.
pub fn writer(number: u32) -> SourceRight {
    SourceRight { lease: lease(number), writes: true }
}

/// A two-second entry with 720p and audio.
pub fn entry(lease_number: u32, number: u64) -> Entry {
    let (lease, broadcast) = (lease(lease_number), broadcast());
    let init = |name: &str| init_path(&broadcast, &lease, Retention::Recorded, name, SegmentNumber(1));
    let start = EPOCH.ticks + number * 180_000;
    let samples = |ticks: u64| (ticks * 8 / 15).div_euclid(1024) * 1024;
    let (audio_start, audio_end) = (samples(start), samples(start + 180_000));
    Entry {
        number: SegmentNumber(number),
        committed_at: Timestamp(1_700_000_002_500 + number * 2_000),
        program_date_time: Timestamp(1_700_000_000_000 + number * 2_000),
        discontinuity: false,
        discontinuities: 0,
        gap: false,
        video: Some(Span { start: MediaTime::video(start), duration: MediaTime::video(180_000) }),
        audio: Some(Span {
            start: MediaTime::audio(audio_start),
            duration: MediaTime::audio(audio_end - audio_start),
        }),
        renditions: vec![
            EntryRendition {
                name: "720p".into(),
                kind: TrackKind::Video { width: 1280, height: 720, millifps: 30_000 },
                codecs: "avc1.64001f".into(),
                bytes: 650_000,
                max_bitrate: 3_080_000,
                init: init("720p"),
                init_hash: "aa".into(),
                copied: false,
                retention: Retention::Recorded,
            },
            EntryRendition {
                name: "audio".into(),
                kind: TrackKind::Audio { channels: 2 },
                codecs: "mp4a.40.2".into(),
                bytes: 32_000,
                max_bitrate: 140_000,
                init: init("audio"),
                init_hash: "bb".into(),
                copied: false,
                retention: Retention::Recorded,
            },
        ],
        parts: Vec::new(),
        open: false,
        source: SourcePosition {
            session: SessionId::from_random(1),
            run: 1,
            offset: 900_000,
            cursor: number * 150,
        },
        broadcast,
        lease,
    }
}

/// An address of every kind at the edge, in `region` where it has one.
pub fn edge_paths(region: &Region) -> Vec<EdgePath> {
    let (rendition, number) = (|| "720p".parse().expect("a name"), SegmentNumber(12));
    let lease = || Lease { region: region.clone(), ..lease(1) };
    let object = |retention, file| {
        let (broadcast, lease) = (broadcast(), lease());
        EdgePath::Object(ObjectPath { broadcast, lease, retention, rendition: rendition(), file })
    };
    let at = || (region.clone(), broadcast());
    let of = |path: fn(Region, BroadcastId, _) -> EdgePath| path(at().0, at().1, rendition());
    vec![
        EdgePath::Listing,
        EdgePath::Live(stream_id()),
        of(EdgePath::Media),
        of(EdgePath::LowLatency),
        EdgePath::Recording(at().0, at().1),
        of(EdgePath::RecordingMedia),
        object(Retention::Recorded, ObjectFile::Segment(number)),
        object(Retention::Recorded, ObjectFile::Init(number)),
        object(Retention::Unrecorded, ObjectFile::Segment(number)),
        object(Retention::Unrecorded, ObjectFile::Init(number)),
        EdgePath::Part(PartPath {
            broadcast: at().1,
            lease: lease(),
            rendition: rendition(),
            number,
            part: 3,
        }),
    ]
}

/// Every resource of the REST API.
pub fn api_paths() -> [ApiPath; 9] {
    ApiPath::all(&stream_id(), &KeyId::from_random(2))
}
