//! What may come in: takes a publisher's messages, refuses what cannot be transcoded, has the rest put into the form that
//! readers expect, and puts that into the spool.

use std::collections::VecDeque;
use std::sync::Arc;

use headwater_domain::{ClockReader, Timestamp};
use headwater_rtmp::normalize::{Clock, Frame, MediaTag, Normal, Normalizer, Timed, Useless, delay_decoding};
use headwater_rtmp::{MediaKind, MediaMessage, Metadata};
use thiserror::Error;

use super::codecs::Codecs;
use super::opening::{Arrived, Opening};
use super::skew::Skew;
use super::standstill::Standstill;
use super::usefulness::Usefulness;
use crate::gateway::session::Session;
use crate::gateway::spool::SpoolError;
use crate::gateway::spool::runs::{RunSplitter, TooManyRuns};

/// Longest sequence header, bytes; real ones have 50. It is kept in memory for each run.
const MAX_HEADER_BYTES: usize = 16 * 1024;
/// Longest onMetaData body that is passed on, bytes; real ones have 400.
const MAX_METADATA_BYTES: usize = 16 * 1024;

/// The publisher's media cannot be taken.
#[derive(Debug, Error)]
pub enum ValidationError {
    /// A codec the transcoder is not built for.
    #[error("this stream sends {0}; set the encoder to H.264 video and AAC audio")]
    Codec(String),
    /// Nothing in it makes sense.
    #[error(
        "this stream sends no media that can be understood ({0}); set the encoder to H.264 video and AAC audio"
    )]
    Garbage(String),
    /// Its timestamps go on no further; a sentence for people.
    #[error("{0}")]
    Standstill(String),
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

/// One publisher's messages on their way into its spool.
#[derive(Debug)]
pub struct MediaValidator {
    reads_clock: ClockReader,
    session: Arc<Session>,
    codecs: Codecs,
    normalizer: Normalizer,
    clock: Clock<Frame>,
    opening: Opening,
    skew: Skew,
    runs: RunSplitter,
    usefulness: Usefulness,
    standstill: Standstill,
    /// The log has heard of a track that cannot be used.
    is_logged: bool,
    /// Emptied with each message.
    normal: Vec<Normal>,
    timed: VecDeque<Timed<Frame>>,
    arrived: VecDeque<Arrived>,
}

impl MediaValidator {
    /// For a session that begins.
    pub fn new(session: Arc<Session>, codecs: Codecs, reads_clock: ClockReader) -> Self {
        Self {
            reads_clock,
            session,
            codecs,
            normalizer: Normalizer::default(),
            clock: Clock::default(),
            opening: Opening::default(),
            skew: Skew::default(),
            runs: RunSplitter::default(),
            usefulness: Usefulness::default(),
            standstill: Standstill::default(),
            is_logged: false,
            normal: Vec::new(),
            timed: VecDeque::new(),
            arrived: VecDeque::new(),
        }
    }

    /// Takes onMetaData.
    pub fn metadata(&mut self, metadata: &Metadata) {
        self.opening.metadata(metadata);
        if metadata.payload.len() <= MAX_METADATA_BYTES {
            // A copy: the payload may be a part of something much larger.
            self.session.spool.set_metadata(bytes::Bytes::copy_from_slice(&metadata.payload));
        }
    }

    /// Takes audio or video.
    pub fn media(&mut self, message: &MediaMessage) -> Result<(), ValidationError> {
        let now = (self.reads_clock)();
        let taken = match MediaTag::parse(message) {
            Ok(tag) => self.normalize(message, &tag)?,
            Err(error) => Err(error.into()),
        };
        match taken {
            Ok(()) => self.store(now)?,
            Err(why) => self.skip(message.kind, why, now)?,
        }
        Ok(())
    }

    /// Nothing more comes: takes what waited for it.
    pub fn finish(&mut self) -> Result<(), ValidationError> {
        self.normalizer.finish(&mut self.normal);
        let now = (self.reads_clock)();
        self.store(now)?;
        self.clock.flush(&mut self.timed);
        self.append(now)?;
        self.opening.end(&mut self.arrived);
        self.place()
    }

    fn normalize(
        &mut self,
        message: &MediaMessage,
        tag: &MediaTag<'_>,
    ) -> Result<Result<(), Useless>, ValidationError> {
        // A command message (FLV 10.1 §E.4.3.1, frame type 5) names no codec.
        if tag.is_media()
            && let Some(codec) = self.codecs.refused(tag.codec())
        {
            return Err(ValidationError::Codec(codec));
        }
        if tag.is_header() && message.payload.len() > MAX_HEADER_BYTES {
            return Err(ValidationError::HeaderTooLong);
        }
        Ok(self.normalizer.push(message, tag, &mut self.normal))
    }

    fn store(&mut self, now: Timestamp) -> Result<(), ValidationError> {
        let mut normal = std::mem::take(&mut self.normal);
        let stored = normal.drain(..).try_for_each(|normal| match normal {
            Normal::Header(kind, body) => {
                self.clock.header(kind, &mut self.timed);
                self.append(now)?;
                self.opening.header(kind, &mut self.arrived);
                self.place()?;
                self.runs.header(kind, &body);
                self.opening.after_header(kind, &mut self.arrived);
                self.place()
            }
            Normal::Frame(frame) => {
                self.clock.push(frame.kind, frame.timestamp, now.0, frame, &mut self.timed);
                self.append(now)
            }
        });
        self.normal = normal;
        stored
    }

    fn append(&mut self, now: Timestamp) -> Result<(), ValidationError> {
        while let Some(frame) = self.timed.pop_front() {
            self.opening.push(frame, now, &mut self.arrived);
        }
        self.place()
    }

    fn place(&mut self) -> Result<(), ValidationError> {
        while let Some((Timed { kind, time, item }, now)) = self.arrived.pop_front() {
            let was_moved = self.skew.moved();
            let time = self.skew.place(kind, time, now);
            let placed = self.runs.media(kind, time, now)?;
            let stands = self.standstill.note(kind, placed.time, placed.opens.is_some(), now);
            let body = match kind {
                MediaKind::Video if placed.lifted > 0 => delay_decoding(&item.body, placed.lifted),
                _ => item.body,
            };
            self.session.spool.append(kind, placed, item.random_access, &body)?;
            if self.usefulness.useful(kind, now) | (self.skew.moved() != was_moved) | stands {
                self.session.set_problem(self.problem());
            }
            if self.standstill.is_hopeless(now)
                && let Some(problem) = self.standstill.problem()
            {
                return Err(ValidationError::Standstill(problem));
            }
        }
        Ok(())
    }

    /// What people are to know of the session.
    fn problem(&self) -> Option<String> {
        let told = [self.usefulness.problem(), self.skew.problem(), self.standstill.problem()];
        let all: Vec<String> = told.into_iter().flatten().collect();
        (!all.is_empty()).then(|| all.join("; "))
    }

    fn skip(&mut self, kind: MediaKind, why: Useless, now: Timestamp) -> Result<(), ValidationError> {
        if self.usefulness.useless(kind, why, now) {
            let problem = self.problem();
            // Once: an encoder that changes its mind with every hundredth message fills no log.
            if !std::mem::replace(&mut self.is_logged, true) {
                tracing::info!(session = %self.session.id(), problem, "a track cannot be used");
            }
            self.session.set_problem(problem);
        }
        match self.usefulness.garbage(now) {
            Some(why) => Err(ValidationError::Garbage(why)),
            None => Ok(()),
        }
    }
}
