//! What may come in: takes a publisher's messages, refuses what cannot be transcoded, and puts the rest into the spool.

use std::sync::Arc;

use headwater_rtmp::codec::{Codec, Entry, Inspector, MediaClass};
use headwater_rtmp::{MediaKind, MediaMessage, Metadata};
use thiserror::Error;

use super::codecs::Codecs;
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
    /// A message beyond what FLV can say.
    #[error(transparent)]
    Spool(#[from] SpoolError),
}

/// A codec, and whether it comes in the enhanced form: readers take a run for what its headers are.
type Form = (Codec, bool);

/// One publisher's messages on their way into its spool.
#[derive(Debug)]
pub struct Intake {
    session: Arc<Session>,
    codecs: Codecs,
    inspector: Inspector,
    runs: RunSplitter,
    /// Codec and form of the sequence headers: audio, video.
    headers: [Option<Form>; 2],
    useless: u32,
}

impl Intake {
    /// For a session that begins.
    pub fn new(session: Arc<Session>, codecs: Codecs) -> Self {
        let (inspector, runs) = (Inspector::new(), RunSplitter::default());
        Self { session, codecs, inspector, runs, headers: [None; 2], useless: 0 }
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
        if let Some(codec) = self.codecs.refused(&info) {
            return Err(IntakeError::Codec(codec));
        }
        let form = (info.codec, info.enhanced);
        match info.class {
            MediaClass::SequenceHeader => self.header(message, form),
            MediaClass::Frames => self.frames(message, form, None),
            MediaClass::RandomAccess(entry) => self.frames(message, form, Some(entry)),
            MediaClass::Other => Ok(()),
        }
    }

    fn header(&mut self, message: &MediaMessage, form: Form) -> Result<(), IntakeError> {
        if message.payload.len() > MAX_HEADER_BYTES {
            return Err(IntakeError::HeaderTooLong);
        }
        if message.kind == MediaKind::Video && !self.inspector.is_configured() {
            return self.skip();
        }
        self.headers[message.kind as usize] = Some(form);
        self.runs.header(message.kind, &message.payload);
        Ok(())
    }

    fn frames(
        &mut self,
        message: &MediaMessage,
        form: Form,
        entry: Option<Entry>,
    ) -> Result<(), IntakeError> {
        if self.headers[message.kind as usize] != Some(form) {
            return self.skip();
        }
        let placed = self.runs.media(message.kind, message.timestamp, now())?;
        self.session.spool.append(message.kind, placed, entry, &message.payload)?;
        self.useless = 0;
        Ok(())
    }

    fn skip(&mut self) -> Result<(), IntakeError> {
        self.useless += 1;
        if self.useless > MAX_USELESS { Err(IntakeError::Garbage) } else { Ok(()) }
    }
}
