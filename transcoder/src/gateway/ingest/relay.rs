//! Moves an accepted publisher's media into its spool until one side ends it, and says why it ended.

use std::pin::pin;
use std::sync::Arc;

use futures::FutureExt as _;
use headwater_domain::ports::Hooks;
use headwater_rtmp::{Event, RejectCode};
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::select;
use tokio::task::yield_now;
use tokio::time::{Instant, sleep};

use super::media_validator::{MediaValidator, ValidationError};
use super::rate::BitrateMeter;
use super::rtmp_connection::{ConnectionError, RtmpConnection};
use crate::gateway::context::Context;
use crate::gateway::limits::Limits;
use crate::gateway::log_throttle::{LogThrottle, ThrottledLine};
use crate::gateway::net::socket::Pollable;
use crate::gateway::session::{Session, SessionDirective, StopReason};

/// Events that are taken before others have their turn: one message may hold half a million.
const MAX_EVENTS_AT_ONCE: u32 = 1_024;

/// How a publication ended. The text is for people, here and at the control plane.
#[derive(Debug, Error)]
pub enum PublicationEnd {
    /// The encoder said that it is done.
    #[error("encoder ended the stream")]
    Unpublished,
    /// The connection ended first.
    #[error(transparent)]
    Connection(#[from] ConnectionError),
    /// Nothing came for too long.
    #[error("encoder sent nothing for {} s", .0.as_secs())]
    Silent(std::time::Duration),
    /// Too much came.
    #[error("bitrate is over {} kbit/s", .0 / 1_000)]
    TooFast(u64),
    /// It cannot be taken.
    #[error(transparent)]
    Refused(#[from] ValidationError),
    /// The gateway was told to end it, or leaves.
    #[error("{0}")]
    Stopped(StopReason),
}

impl PublicationEnd {
    /// What the encoder is told, if it can be told.
    pub fn close_reason(&self) -> Option<(RejectCode, String)> {
        let code = match self {
            // Protocol errors that a person can do something about have been told already.
            Self::Unpublished | Self::Connection(_) => return None,
            Self::Silent(_) | Self::Stopped(StopReason::Leaving) => RejectCode::Closed,
            Self::TooFast(_) | Self::Refused(_) | Self::Stopped(StopReason::NoKeyFrame(_)) => {
                RejectCode::Rejected
            }
            // `Denied` makes OBS give up, the others make it try again.
            Self::Stopped(StopReason::Ordered { retry: true, .. }) => RejectCode::Rejected,
            Self::Stopped(StopReason::Ordered { retry: false, .. }) => RejectCode::Denied,
        };
        Some((code, self.to_string()))
    }
}

/// Relays until the end.
pub async fn run<S, H>(
    connection: &mut RtmpConnection<S>,
    session: &Arc<Session>,
    context: &Context<H>,
) -> PublicationEnd
where
    S: AsyncRead + AsyncWrite + Pollable + Unpin,
    H: Hooks + 'static,
{
    let mut validator = MediaValidator::new(session.clone(), context.codecs.clone(), context.clock);
    let Err(end) = relay(connection, session, &mut validator, &context.limits, &context.log_throttle).await;
    if let Err(error) = validator.finish() {
        tracing::debug!(%error, "the last messages were not taken");
    }
    session.spool.announce();
    end
}

/// Never the end: there is always a reason to stop.
enum Never {}

async fn relay<S>(
    connection: &mut RtmpConnection<S>,
    session: &Arc<Session>,
    validator: &mut MediaValidator,
    limits: &Limits,
    log_throttle: &LogThrottle,
) -> Result<Never, PublicationEnd>
where
    S: AsyncRead + AsyncWrite + Pollable + Unpin,
{
    connection.pace().map_err(ConnectionError::from)?;
    let began = Instant::now();
    let mut heard = began;
    // One timer for the whole session, not one for each read: it is set again when it goes off.
    let mut silence = pin!(sleep(limits.silence_timeout));
    let mut meter = BitrateMeter::new(limits.max_bitrate, limits.bitrate_window);
    let mut directives = session.directives();
    // There may be one already: the session has been in the registry for a moment.
    directives.mark_changed();
    let mut read = Ok(0);
    loop {
        session.note_received(*read.as_ref().unwrap_or(&0));
        // What came before an error still counts.
        let taken = take_events(connection, validator, session, log_throttle).await;
        session.spool.announce();
        taken?;
        let count = read?;
        if !meter.count(count, heard - began) {
            return Err(PublicationEnd::TooFast(limits.max_bitrate));
        }
        // What took us long to take was no silence of the encoder's.
        if count > 0 {
            heard = Instant::now();
        }
        connection.offer()?;
        read = select! {
            read = connection.read() => {
                heard = Instant::now();
                read
            }
            () = &mut silence => {
                // If it was us who stood still, there is something to be read.
                let read = connection.read().now_or_never();
                if read.is_some() {
                    heard = Instant::now();
                } else if heard.elapsed() >= limits.silence_timeout {
                    return Err(PublicationEnd::Silent(limits.silence_timeout));
                }
                silence.as_mut().reset(heard + limits.silence_timeout);
                read.unwrap_or(Ok(0))
            }
            _ = directives.changed() => {
                follow(&directives.borrow_and_update().clone(), connection)?;
                Ok(0)
            }
        };
    }
}

async fn take_events<S>(
    connection: &mut RtmpConnection<S>,
    validator: &mut MediaValidator,
    session: &Session,
    log_throttle: &LogThrottle,
) -> Result<(), PublicationEnd> {
    let mut taken = 0_u32;
    while let Some(event) = connection.rtmp.poll_event() {
        taken = taken.wrapping_add(1);
        if taken.is_multiple_of(MAX_EVENTS_AT_ONCE) {
            session.spool.announce();
            yield_now().await;
        }
        match event {
            Event::Media(message) => validator.media(&message)?,
            Event::Metadata(metadata) => validator.metadata(&metadata),
            Event::Unpublished { .. } => return Err(PublicationEnd::Unpublished),
            Event::Ignored(what) => {
                if let Some(withheld) = log_throttle.take(ThrottledLine::Skipped) {
                    tracing::info!(session = %session.id(), ?what, withheld, "an encoder's message was skipped");
                }
            }
            Event::Connected(_) | Event::PublishRequested(_) | Event::Data(_) => {}
        }
    }
    Ok(())
}

fn follow<S>(directive: &SessionDirective, connection: &mut RtmpConnection<S>) -> Result<(), PublicationEnd> {
    match directive {
        SessionDirective::GoOn => Ok(()),
        SessionDirective::Stop(reason) => Err(PublicationEnd::Stopped(reason.clone())),
        // Whoever cannot be asked is cut off at once and comes back by itself.
        SessionDirective::Move => {
            match connection.rtmp.request_reconnect(None, &StopReason::Leaving.to_string()) {
                Some(signal) => {
                    tracing::debug!(?signal, "encoder was asked to go elsewhere");
                    Ok(())
                }
                None => Err(PublicationEnd::Stopped(StopReason::Leaving)),
            }
        }
    }
}
