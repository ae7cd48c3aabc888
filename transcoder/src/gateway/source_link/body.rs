//! The body of a source response: FLV header and sequence headers, then media as it comes.

use std::io;
use std::sync::Arc;

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use futures::stream;
use headwater_domain::tokens::SourceRight;
use headwater_rtmp::MediaKind;
use headwater_rtmp::flv::{self, BodyTooLong, TagKind};

use super::SourceLinkProblem;
use crate::gateway::session::{Fenced, Session};
use crate::gateway::spool::index::Run;
use crate::gateway::spool::reader::{End, Reader, ReaderNext};

/// A reader's place at a session, from its request to the end of its body.
#[derive(Debug)]
pub(super) struct Reading {
    session: Arc<Session>,
    right: SourceRight,
}

impl Reading {
    /// Takes a place, if there is one.
    pub(super) fn begin(session: Arc<Session>, right: SourceRight) -> Option<Self> {
        // Lazily: a `Reading` that is dropped gives a place back.
        session.reader_came().then(|| Self { session, right })
    }

    pub(super) fn session(&self) -> &Arc<Session> {
        &self.session
    }

    /// Whether what is read will be written.
    pub(super) fn writes(&self) -> bool {
        self.right.writes
    }

    /// Waits until a higher lease has replaced the reader's.
    pub(super) async fn fenced(&self) -> Fenced {
        self.session.fenced(&self.right.lease).await
    }

    /// The run from `offset` on.
    pub(super) fn into_body(self, run: &Run, offset: u64) -> Result<Body, SourceLinkProblem> {
        let head = head(run).map_err(|_| SourceLinkProblem::INTERNAL)?;
        let number = run.number;
        let reader = Reader::new(self.session.spool.clone(), number, offset);
        let stream =
            stream::unfold((Some(head), reader, self), move |(head, mut reader, reading)| async move {
                if let Some(head) = head {
                    return Some((Ok(head), (None, reader, reading)));
                }
                let next = tokio::select! {
                    biased;
                    // The body breaks off as with an error: its reader does not mistake it for a whole one.
                    Fenced = reading.fenced() => Err(io::Error::other("a higher lease reads the session")),
                    next = reader.next() => next,
                };
                match next {
                    Ok(ReaderNext::Bytes(bytes)) => {
                        Some((Ok::<_, io::Error>(bytes), (None, reader, reading)))
                    }
                    Ok(ReaderNext::End(end)) => {
                        reading.finished(number, end);
                        None
                    }
                    // The body breaks off without its end: the reader cannot mistake it for a complete one.
                    Err(error) => Some((Err(error), (None, reader, reading))),
                }
            });
        Ok(Body::from_stream(stream))
    }

    fn finished(&self, run: u32, end: End) {
        let Self { session, right } = self;
        let is_last = session.ended().is_some() && session.spool.last_run() == Some(run);
        // What a standby has read to its end is not written, and may be on the gateway alone.
        if end == End::Complete && is_last && right.writes {
            session.note_read_out();
        }
    }
}

impl Drop for Reading {
    fn drop(&mut self) {
        self.session.reader_left();
    }
}

/// What a demuxer must have before media. Its tags have cursor 0 and time 0.
fn head(run: &Run) -> Result<Bytes, BodyTooLong> {
    let headers = &run.start.headers;
    let mut out = BytesMut::new();
    out.extend_from_slice(&flv::file_header(headers.audio.is_some(), headers.video.is_some()));
    if let Some(metadata) = &run.metadata {
        flv::write_tag(&mut out, TagKind::Script, 0, 0, metadata)?;
    }
    if let Some(video) = &headers.video {
        flv::write_tag(&mut out, TagKind::Media(MediaKind::Video), 0, 0, video)?;
    }
    if let Some(audio) = &headers.audio {
        flv::write_tag(&mut out, TagKind::Media(MediaKind::Audio), 0, 0, audio)?;
    }
    Ok(out.freeze())
}
