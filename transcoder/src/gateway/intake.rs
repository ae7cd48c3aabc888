//! What may come in: takes a publisher's messages, refuses what cannot be transcoded, and puts the rest into the spool.

use std::sync::Arc;

use headwater_rtmp::codec::{AudioCodec, Codec, Inspector, MediaClass, MediaInfo, VideoCodec};
use headwater_rtmp::{MediaKind, MediaMessage, Metadata};
use thiserror::Error;

use super::now;
use super::runs::{RunSplitter, TooManyRuns};
use super::session::Session;
use super::spool::SpoolError;

/// Messages without use (cut short, or media before its sequence header) in a row that are skipped. Encoders that
/// start in the middle send a few; one that sends a hundred will send nothing else.
const MAX_USELESS: u32 = 100;
/// Longest sequence header, bytes; real ones have 50. It is kept in memory for each run.
const MAX_HEADER_BYTES: usize = 16 * 1024;
/// Longest onMetaData body that is passed on, bytes; real ones have 400.
const MAX_METADATA_BYTES: usize = 16 * 1024;

/// The publisher's media cannot be taken.
#[derive(Debug, Error)]
pub enum IntakeError {
    /// A codec the transcoder is not built for.
    #[error("this stream sends {0}; set the encoder to H.264 video and AAC audio")]
    Codec(String),
    /// Nothing in it makes sense.
    #[error(
        "this stream sends no media that can be understood; set the encoder to H.264 video and AAC audio"
    )]
    Garbage,
    /// A sequence header of absurd size.
    #[error("sequence header is longer than {MAX_HEADER_BYTES} bytes")]
    HeaderTooLong,
    /// See [`TooManyRuns`].
    #[error(transparent)]
    Runs(#[from] TooManyRuns),
    /// The media cannot be stored: the gateway's own trouble, or a message beyond what FLV can say.
    #[error(transparent)]
    Spool(#[from] SpoolError),
}

/// One publisher's messages on their way into its spool.
#[derive(Debug)]
pub struct Intake {
    session: Arc<Session>,
    inspector: Inspector,
    runs: RunSplitter,
    useless: u32,
}

impl Intake {
    /// For a session that begins.
    pub fn new(session: Arc<Session>) -> Self {
        Self { session, inspector: Inspector::new(), runs: RunSplitter::default(), useless: 0 }
    }

    /// Takes onMetaData.
    pub fn metadata(&self, metadata: &Metadata) {
        if metadata.payload.len() <= MAX_METADATA_BYTES {
            // A copy: the payload may be a part of something much larger.
            self.session.spool.set_metadata(bytes::Bytes::copy_from_slice(&metadata.payload));
        }
    }

    /// Takes audio or video.
    pub fn media(&mut self, message: &MediaMessage) -> Result<(), IntakeError> {
        let Ok(info) = self.inspector.inspect(message.kind, &message.payload) else {
            return self.skip();
        };
        if let Some(codec) = refused(&info) {
            return Err(IntakeError::Codec(codec));
        }
        match info.class {
            MediaClass::SequenceHeader => self.header(message),
            MediaClass::Frames | MediaClass::RandomAccess if self.runs.has_header(message.kind) => {
                let placed = self.runs.media(message.kind, message.timestamp, now())?;
                let idr = message.kind == MediaKind::Video && info.class == MediaClass::RandomAccess;
                self.session.spool.append(message.kind, placed, idr, &message.payload)?;
                self.useless = 0;
                Ok(())
            }
            MediaClass::Frames | MediaClass::RandomAccess => self.skip(),
            MediaClass::Other => Ok(()),
        }
    }

    fn header(&mut self, message: &MediaMessage) -> Result<(), IntakeError> {
        if message.payload.len() > MAX_HEADER_BYTES {
            return Err(IntakeError::HeaderTooLong);
        }
        if message.kind == MediaKind::Video && self.inspector.avc_config().is_none() {
            return self.skip();
        }
        self.runs.header(message.kind, &message.payload);
        Ok(())
    }

    fn skip(&mut self) -> Result<(), IntakeError> {
        self.useless += 1;
        if self.useless > MAX_USELESS { Err(IntakeError::Garbage) } else { Ok(()) }
    }
}

/// The name of a codec that is refused.
fn refused(info: &MediaInfo) -> Option<String> {
    let name = match info.codec {
        // FFmpeg 5.1's FLV demuxer does not know the enhanced form, whatever is in it.
        Codec::Video(VideoCodec::Avc) if info.enhanced => "H.264 in the Enhanced RTMP form".to_owned(),
        Codec::Audio(AudioCodec::Aac) if info.enhanced => "AAC in the Enhanced RTMP form".to_owned(),
        Codec::Video(VideoCodec::Avc) | Codec::Audio(AudioCodec::Aac) => return None,
        // A command message (FLV 10.1 §E.4.3.1, frame type 5) names no codec.
        _ if info.class == MediaClass::Other => return None,
        Codec::Video(VideoCodec::Hevc) => "HEVC (H.265) video".to_owned(),
        Codec::Video(VideoCodec::Av1) => "AV1 video".to_owned(),
        Codec::Video(VideoCodec::Classic(id)) => match id {
            2 => "Sorenson H.263 video".to_owned(),
            3 | 6 => "Screen video".to_owned(),
            4 | 5 => "VP6 video".to_owned(),
            other => format!("video of FLV codec {other}"),
        },
        Codec::Video(VideoCodec::Enhanced(code)) => format!("{code} video"),
        Codec::Audio(AudioCodec::Classic(format)) => match format {
            0 | 3 => "PCM audio".to_owned(),
            1 => "ADPCM audio".to_owned(),
            2 | 14 => "MP3 audio".to_owned(),
            4..=6 => "Nellymoser audio".to_owned(),
            7 | 8 => "G.711 audio".to_owned(),
            11 => "Speex audio".to_owned(),
            other => format!("audio of FLV format {other}"),
        },
        Codec::Audio(AudioCodec::Enhanced(code)) => format!("{code} audio"),
    };
    Some(name)
}
