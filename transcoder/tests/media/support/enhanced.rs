//! Sources in the form of Enhanced RTMP: what FFmpeg 9 sent, recorded (`crates/rtmp/tests/captures/README.md`), and
//! classic sources written anew.

use bytes::BytesMut;
use headwater_rtmp::codec::{Inspector, MediaClass, RandomAccess};
use headwater_rtmp::flv::{self, TagKind};
use headwater_rtmp::{Event, MediaKind, ServerSession, SessionConfig};

use super::flv::{Flv, Tag};

pub const HEVC: &[u8] = include_bytes!("../../../../crates/rtmp/tests/captures/ffmpeg9-hevc.client.bin");
pub const AV1: &[u8] = include_bytes!("../../../../crates/rtmp/tests/captures/ffmpeg9-av1.client.bin");
pub const VP9: &[u8] = include_bytes!("../../../../crates/rtmp/tests/captures/ffmpeg9-vp9.client.bin");

/// The media of a recorded publisher as the gateway would serve it.
pub fn recorded(capture: &[u8]) -> Flv {
    let mut session = ServerSession::new(SessionConfig::new([7; 1528]));
    let mut file = BytesMut::from(&flv::file_header(true, true)[..]);
    let mut inspector = Inspector::new();
    let mut entries = Vec::new();
    for piece in capture.chunks(1_000) {
        session.receive(piece).unwrap();
        while let Some(event) = session.poll_event() {
            match event {
                Event::PublishRequested(request) => assert!(session.accept_publish(request.id)),
                Event::Metadata(data) => {
                    flv::write_tag(&mut file, TagKind::Script, 0, 0, &data.payload).unwrap();
                }
                Event::Media(media) => {
                    let kind = TagKind::Media(media.kind);
                    flv::write_tag(&mut file, kind, media.timestamp, 0, &media.payload).unwrap();
                    let class = inspector.inspect(media.kind, &media.payload).unwrap().class;
                    if media.kind == MediaKind::Video {
                        entries.push(class);
                    }
                }
                _ => {}
            }
        }
        while session.poll_output().is_some() {}
    }
    let mut source = Flv::parse(&file);
    let pictures = source.tags.iter_mut().filter(|t| t.video && !t.header);
    let classes =
        entries.into_iter().filter(|c| matches!(c, MediaClass::Frames | MediaClass::RandomAccess(_)));
    for (tag, class) in pictures.zip(classes) {
        tag.key = matches!(class, MediaClass::RandomAccess(_));
        tag.open = class == MediaClass::RandomAccess(RandomAccess::Open);
    }
    source
}

impl Tag {
    pub fn body(&self) -> &[u8] {
        &self.bytes[11..self.bytes.len() - 4]
    }

    /// The same with another body.
    pub fn with_body(&self, body: &[u8]) -> Self {
        let kind = if self.video { MediaKind::Video } else { MediaKind::Audio };
        let mut bytes = BytesMut::new();
        flv::write_tag(&mut bytes, TagKind::Media(kind), self.millis, self.cursor as u32, body).unwrap();
        Self { bytes: bytes.to_vec(), ..self.clone() }
    }
}

/// A classic source of H.264 and AAC in the enhanced form.
pub fn enhanced(classic: &Flv) -> Flv {
    let rewrite = |tag: &Tag| {
        let body = tag.body();
        match (tag.video, tag.audio) {
            (true, _) => {
                let (key, packet, time) = (body[0] & 0x70, body[1], &body[2..5]);
                let head =
                    [&[0x80 | key | packet][..], b"avc1", if packet == 1 { time } else { &[] }].concat();
                tag.with_body(&[&head, &body[5..]].concat())
            }
            (_, true) => tag.with_body(&[&[0x90 | body[1]][..], b"mp4a", &body[2..]].concat()),
            _ => tag.clone(),
        }
    };
    Flv { tags: classic.tags.iter().map(rewrite).collect() }
}
