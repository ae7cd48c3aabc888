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

use super::config::Limits;
use super::context::Context;
use super::intake::{Intake, IntakeError};
use super::notices::{Notice, Notices};
use super::rate::Meter;
use super::session::{Session, StopReason, Wish};
use super::socket::Pace;
use super::wire::{Wire, WireError};

/// Events that are taken before others have their turn: one message may hold half a million.
const MAX_EVENTS_AT_ONCE: u32 = 1_024;

/// How a publication ended. The text is for people, here and at the control plane.
#[derive(Debug, Error)]
pub enum End {
    /// The encoder said that it is done.
    #[error("encoder ended the stream")]
    Unpublished,
    /// The connection ended first.
    #[error(transparent)]
    Wire(#[from] WireError),
    /// Nothing came for too long.
    #[error("encoder sent nothing for {} s", .0.as_secs())]
    Silent(std::time::Duration),
    /// Too much came.
    #[error("bitrate is over {} kbit/s", .0 / 1_000)]
    TooFast(u64),
    /// It cannot be taken.
    #[error(transparent)]
    Intake(#[from] IntakeError),
    /// The gateway was told to end it, or leaves.
    #[error("{0}")]
    Stopped(StopReason),
}

impl End {
    /// What the encoder is told, if it can be told.
    pub fn last_words(&self) -> Option<(RejectCode, String)> {
        let code = match self {
            // Protocol errors that a person can do something about have been told already.
            Self::Unpublished | Self::Wire(_) => return None,
            Self::Silent(_) | Self::Stopped(StopReason::Leaving) => RejectCode::Closed,
            Self::TooFast(_) | Self::Intake(_) | Self::Stopped(StopReason::NoKeyFrame(_)) => {
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
pub async fn run<S, H>(wire: &mut Wire<S>, session: &Arc<Session>, context: &Context<H>) -> End
where
    S: AsyncRead + AsyncWrite + Pace + Unpin,
    H: Hooks + 'static,
{
    let mut intake = Intake::new(session.clone(), context.codecs.clone());
    let Err(end) = relay(wire, session, &mut intake, &context.limits, &context.notices).await;
    if let Err(error) = intake.finish() {
        tracing::debug!(%error, "the last messages were not taken");
    }
    session.spool.announce();
    end
}

/// Never the end: there is always a reason to stop.
enum Never {}

async fn relay<S>(
    wire: &mut Wire<S>,
    session: &Arc<Session>,
    intake: &mut Intake,
    limits: &Limits,
    notices: &Notices,
) -> Result<Never, End>
where
    S: AsyncRead + AsyncWrite + Pace + Unpin,
{
    wire.pace().map_err(WireError::from)?;
    let began = Instant::now();
    let mut heard = began;
    // One timer for the whole session, not one for each read: it is set again when it goes off.
    let mut silence = pin!(sleep(limits.silence_timeout));
    let mut meter = Meter::new(limits.max_bitrate, limits.bitrate_window);
    let mut wishes = session.wishes();
    // There may be one already: the session has been in the registry for a moment.
    wishes.mark_changed();
    let mut read = Ok(0);
    loop {
        session.note_received(*read.as_ref().unwrap_or(&0));
        // What came before an error still counts.
        let taken = take_events(wire, intake, session, notices).await;
        session.spool.announce();
        taken?;
        let count = read?;
        if !meter.count(count, heard - began) {
            return Err(End::TooFast(limits.max_bitrate));
        }
        // What took us long to take was no silence of the encoder's.
        if count > 0 {
            heard = Instant::now();
        }
        wire.offer()?;
        read = select! {
            read = wire.read() => {
                heard = Instant::now();
                read
            }
            () = &mut silence => {
                // If it was us who stood still, there is something to be read.
                let read = wire.read().now_or_never();
                if read.is_some() {
                    heard = Instant::now();
                } else if heard.elapsed() >= limits.silence_timeout {
                    return Err(End::Silent(limits.silence_timeout));
                }
                silence.as_mut().reset(heard + limits.silence_timeout);
                read.unwrap_or(Ok(0))
            }
            _ = wishes.changed() => {
                follow(&wishes.borrow_and_update().clone(), wire)?;
                Ok(0)
            }
        };
    }
}

async fn take_events<S>(
    wire: &mut Wire<S>,
    intake: &mut Intake,
    session: &Session,
    notices: &Notices,
) -> Result<(), End> {
    let mut taken = 0_u32;
    while let Some(event) = wire.rtmp.poll_event() {
        taken = taken.wrapping_add(1);
        if taken.is_multiple_of(MAX_EVENTS_AT_ONCE) {
            session.spool.announce();
            yield_now().await;
        }
        match event {
            Event::Media(message) => intake.media(&message)?,
            Event::Metadata(metadata) => intake.metadata(&metadata),
            Event::Unpublished { .. } => return Err(End::Unpublished),
            Event::Ignored(what) => {
                if let Some(withheld) = notices.take(Notice::Skipped) {
                    tracing::info!(session = %session.id(), ?what, withheld, "an encoder's message was skipped");
                }
            }
            Event::Connected(_) | Event::PublishRequested(_) | Event::Data(_) => {}
        }
    }
    Ok(())
}

fn follow<S>(wish: &Wish, wire: &mut Wire<S>) -> Result<(), End> {
    match wish {
        Wish::GoOn => Ok(()),
        Wish::Stop(reason) => Err(End::Stopped(reason.clone())),
        // Whoever cannot be asked is cut off at once and comes back by itself.
        Wish::Move => match wire.rtmp.request_reconnect(None, &StopReason::Leaving.to_string()) {
            Some(signal) => {
                tracing::debug!(?signal, "encoder was asked to go elsewhere");
                Ok(())
            }
            None => Err(End::Stopped(StopReason::Leaving)),
        },
    }
}
