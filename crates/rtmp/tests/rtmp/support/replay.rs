//! Feeds bytes to a session whose owner accepts everything.

use headwater_rtmp::{Event, ServerSession, SessionConfig, SessionError};

pub const CAPTURES: [(&str, &[u8]); 4] = [
    ("ffmpeg", include_bytes!("../../captures/ffmpeg.client.bin")),
    ("obs", include_bytes!("../../captures/obs.client.bin")),
    ("gst-rtmp2sink", include_bytes!("../../captures/gst-rtmp2sink.client.bin")),
    ("gst-rtmpsink", include_bytes!("../../captures/gst-rtmpsink.client.bin")),
];

/// FFmpeg 9, with video in the form of Enhanced RTMP.
pub const ENHANCED: [(&str, &[u8]); 3] = [
    ("hvc1", include_bytes!("../../captures/ffmpeg9-hevc.client.bin")),
    ("av01", include_bytes!("../../captures/ffmpeg9-av1.client.bin")),
    ("vp09", include_bytes!("../../captures/ffmpeg9-vp9.client.bin")),
];

pub fn session() -> ServerSession {
    ServerSession::new(SessionConfig::new([7; 1528]))
}

/// Everything a session said when fed `pieces`.
#[derive(Debug, Default, PartialEq)]
pub struct Replay {
    pub events: Vec<Event>,
    pub output: Vec<u8>,
    pub error: Option<SessionError>,
}

pub fn replay<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Replay {
    let mut session = session();
    let mut replay = Replay::default();
    for piece in pieces {
        replay.error = session.receive(piece).err();
        drain(&mut session, &mut replay);
        if replay.error.is_some() {
            break;
        }
    }
    replay
}

pub fn drain(session: &mut ServerSession, replay: &mut Replay) {
    while let Some(event) = session.poll_event() {
        if let Event::PublishRequested(request) = &event {
            assert!(session.accept_publish(request.id));
        }
        replay.events.push(event);
    }
    while let Some(bytes) = session.poll_output() {
        replay.output.extend_from_slice(&bytes);
    }
}
