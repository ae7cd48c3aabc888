//! One connection from its first byte to its end: to the publish request, through admission, into the relay.

use std::net::SocketAddr;
use std::sync::Arc;

use headwater_domain::SessionId;
use headwater_domain::hooks::{self, PublishAnswer, Secret, SessionRef, Withdrawn};
use headwater_domain::key::StreamKey;
use headwater_domain::key_attempts::Attempt;
use headwater_domain::ports::Hooks;
use headwater_rtmp::{Event, PublishRequest, RejectCode, ServerSession, SessionConfig};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::select;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};

use super::handshake::{handshake, log_failure, random};
use super::relay::{self, PublicationEnd};
use super::rtmp_connection::{ConnectionError, RtmpConnection};
use crate::gateway::context::Context;
use crate::gateway::control::admission::{self, Refused};
use crate::gateway::control::unpublish;
use crate::gateway::control::withdrawals::Withdrawals;
use crate::gateway::log_throttle::ThrottledLine;
use crate::gateway::net::socket::Pollable;
use crate::gateway::session::{Session, StopReason};

/// Characters of an encoder's name for itself that go to the log.
const MAX_NAME_LOGGED: usize = 64;
/// What an encoder is told whose turn does not come.
const BUSY: &str = "too many encoders want to publish just now, please try again";

/// Why a session ends that its encoder gave up while the control plane allowed it.
const WITHDRAWN: &str = "encoder took its publish request back";

/// Serves one encoder. It has to ask to publish before `deadline`.
pub async fn serve<H, S>(socket: S, peer: SocketAddr, deadline: Instant, context: &Context<H>)
where
    H: Hooks + 'static,
    S: AsyncRead + AsyncWrite + Pollable + Unpin,
{
    let mut config = SessionConfig::new(random());
    config.video_four_ccs = context.codecs.video().to_vec();
    config.audio_four_ccs = context.codecs.audio().to_vec();
    let mut connection = RtmpConnection::new(socket, ServerSession::new(config), &context.limits);
    let handshaking = timeout_at(deadline, handshake(&mut connection));
    let request = match context.leaving.run_until_cancelled(handshaking).await {
        Some(Ok(Ok(request))) => request,
        Some(Ok(Err(error))) => {
            log_failure(peer, &error, &context.log_throttle);
            return connection.close().await;
        }
        Some(Err(_)) => {
            if let Some(withheld) = context.log_throttle.take(ThrottledLine::Closed) {
                let phase = connection.rtmp.phase();
                tracing::info!(%peer, ?phase, withheld, "connection closed: no publish command in time");
            }
            connection.rtmp.close_with(RejectCode::Closed, "no publish command in time");
            return connection.close().await;
        }
        None => {
            connection.rtmp.close_with(RejectCode::Closed, &StopReason::Leaving.to_string());
            return connection.close().await;
        }
    };
    if let Some(session) = admit(&mut connection, request, peer, context).await {
        publish(&mut connection, session, context).await;
    }
    connection.close().await;
}

/// Asks the control plane, answers the encoder, and opens the session.
async fn admit<H, S>(
    connection: &mut RtmpConnection<S>,
    request: PublishRequest,
    peer: SocketAddr,
    context: &Context<H>,
) -> Option<Arc<Session>>
where
    H: Hooks + 'static,
    S: AsyncRead + AsyncWrite + Unpin,
{
    let id = SessionId::from_random(rand::random());
    let key = request.key.reveal().parse::<StreamKey>().ok();
    let encoder: String = connection
        .rtmp
        .client()
        .map_or("", |client| &client.flash_ver)
        .chars()
        .take(MAX_NAME_LOGGED)
        .collect();
    let key_id = key.as_ref().map_or_else(|| "malformed".to_owned(), |key| key.id().to_string());
    let question = hooks::PublishRequest {
        gateway: context.identity.clone(),
        session: id.clone(),
        app: request.app.to_owned(),
        key: Secret::new(request.key.reveal()),
        address: peer.to_string(),
        query: request.query.into_iter().collect(),
        asked_at: None,
    };
    let attempt = context.auth_limiter.attempt(peer.ip(), question.key.expose(), key.as_ref());
    let answer = match ask_in_turn(connection, &attempt, &question, context).await {
        Ok(answer) => answer,
        Err(error) => {
            if let Some(withheld) = context.log_throttle.take(ThrottledLine::Closed) {
                tracing::info!(
                    %peer, session = %id, key_id, ?encoder, withheld,
                    "connection closed before the publish hook answered: {error}"
                );
            }
            return None;
        }
    };
    let opened = answer.and_then(|answer| open(id.clone(), answer, context));
    match opened {
        Ok(session) => {
            let names = &session.names;
            tracing::info!(
                %peer, session = %id, stream = %names.stream, broadcast = %names.broadcast, key_id, ?encoder,
                "publishing"
            );
            if !connection.rtmp.accept_publish(request.id) {
                session.end();
                context.unpublish(session.names.clone(), WITHDRAWN.to_owned());
                return None;
            }
            Some(session)
        }
        Err(Refused { code, reason }) => {
            if let Some(withheld) = context.log_throttle.take(ThrottledLine::Refused) {
                tracing::info!(%peer, session = %id, key_id, ?encoder, ?code, withheld, "publish refused: {reason}");
            }
            connection.rtmp.reject_publish(request.id, code, &reason);
            None
        }
    }
}

/// Asks when it is this encoder's turn. Until then nothing is read from it, so that it holds nothing.
async fn ask_in_turn<H, S>(
    connection: &mut RtmpConnection<S>,
    attempt: &Attempt,
    question: &hooks::PublishRequest,
    context: &Context<H>,
) -> Result<Result<PublishAnswer, Refused>, ConnectionError>
where
    H: Hooks + 'static,
    S: AsyncRead + AsyncWrite + Unpin,
{
    let auth_limiter = &context.auth_limiter;
    let Some(_turn) = auth_limiter.turn(context.limits.hook_timeout).await else {
        return Ok(Err(Refused { code: RejectCode::Failed, reason: BUSY.to_owned() }));
    };
    if let Err(too_many) = auth_limiter.begin(attempt) {
        return Ok(Err(Refused { code: RejectCode::BadName, reason: too_many.to_string() }));
    }
    let answer = ask_while_reading(connection, question, context).await?;
    if let Ok(answer) = &answer {
        auth_limiter.note(attempt, answer);
    }
    Ok(answer)
}

/// The encoder may send meanwhile (the protocol holds a bounded part of it), and may go away.
async fn ask_while_reading<H, S>(
    connection: &mut RtmpConnection<S>,
    question: &hooks::PublishRequest,
    context: &Context<H>,
) -> Result<Result<PublishAnswer, Refused>, ConnectionError>
where
    H: Hooks + 'static,
    S: AsyncRead + AsyncWrite + Unpin,
{
    let (hooks, log_throttle) = (context.hooks.clone(), context.log_throttle.clone());
    // Not earlier: who has waited for a turn has not asked yet.
    let asked = hooks::PublishRequest { asked_at: Some((context.clock)()), ..question.clone() };
    let limit = context.limits.hook_timeout;
    let mut asking = context
        .unpublish_tasks
        .spawn(async move { admission::ask(&*hooks, &asked, limit, &log_throttle).await });
    let gone = loop {
        if let Err(error) = connection.flush().await {
            break error;
        }
        let reads = connection.rtmp.wants_input();
        select! {
            answer = &mut asking => {
                let answer = answer.unwrap_or_else(|_| Err(admission::unanswered()));
                if answer.is_err() {
                    note_unanswered(question, &context.withdrawals);
                }
                return Ok(answer);
            }
            read = connection.read(), if reads => if let Err(error) = read { break error },
        }
        if std::iter::from_fn(|| connection.rtmp.poll_event())
            .any(|event| matches!(event, Event::Unpublished { .. }))
        {
            break ConnectionError::Closed;
        }
    };
    withdraw(asking, question.clone(), context);
    Err(gone)
}

/// The encoder has gone; the control plane may allow it all the same, and would wait for it. Told before it has decided, it
/// would not know of what.
fn withdraw<H: Hooks + 'static>(
    asking: JoinHandle<Result<PublishAnswer, Refused>>,
    question: hooks::PublishRequest,
    context: &Context<H>,
) {
    let (hooks, gateway) = (context.hooks.clone(), context.identity.clone());
    let withdrawals = context.withdrawals.clone();
    context.unpublish_tasks.spawn(async move {
        match asking.await {
            Ok(Ok(PublishAnswer::Allow { stream, broadcast, order })) => {
                let session = SessionRef { session: question.session, stream, broadcast, order };
                let reason = WITHDRAWN.to_owned();
                unpublish::send(hooks, hooks::UnpublishRequest { gateway, session, reason }).await;
            }
            Ok(Ok(PublishAnswer::Deny { .. })) => {}
            Ok(Err(_)) | Err(_) => note_unanswered(&question, &withdrawals),
        }
    });
}

/// Nobody has said no: it may be granted yet, for an encoder that was told to try again. What is no key never is.
fn note_unanswered(question: &hooks::PublishRequest, withdrawals: &Withdrawals) {
    if let Ok(key) = question.key.expose().parse::<StreamKey>() {
        let (session, stream) = (question.session.clone(), key.stream().clone());
        withdrawals.note(Withdrawn { session, stream });
    }
}

/// Opens the session, if the answer allows it.
fn open<H: Hooks + 'static>(
    id: SessionId,
    answer: PublishAnswer,
    context: &Context<H>,
) -> Result<Arc<Session>, Refused> {
    match answer {
        PublishAnswer::Deny { kind, reason } => Err(Refused { code: admission::code_for(kind), reason }),
        PublishAnswer::Allow { stream, broadcast, order } => {
            let names = SessionRef { session: id, stream, broadcast, order };
            let opened = if context.leaving.is_cancelled() {
                Err(StopReason::Leaving.to_string())
            } else {
                context.registry.open(names.clone()).map_err(|error| error.to_string())
            };
            opened.map_err(|reason| {
                context.unpublish(names, reason.clone());
                Refused { code: RejectCode::Failed, reason }
            })
        }
    }
}

/// Relays the session's media, and sees to it that its end is known to everybody, whatever happens.
async fn publish<H, S>(connection: &mut RtmpConnection<S>, session: Arc<Session>, context: &Context<H>)
where
    H: Hooks + 'static,
    S: AsyncRead + AsyncWrite + Pollable + Unpin,
{
    let mut publication = Publication { session, context, end: None };
    let end = relay::run(connection, &publication.session, context).await;
    if let Some((code, reason)) = end.close_reason() {
        connection.rtmp.close_with(code, &reason);
    }
    publication.end = Some(end);
}

/// Ends its session when it goes, even if the task panics.
struct Publication<'a, H: Hooks + 'static> {
    session: Arc<Session>,
    context: &'a Context<H>,
    end: Option<PublicationEnd>,
}

impl<H: Hooks + 'static> Drop for Publication<'_, H> {
    fn drop(&mut self) {
        let reason = self.end.as_ref().map_or_else(|| "gateway failed".to_owned(), PublicationEnd::to_string);
        self.session.end();
        let spool = &self.session.spool;
        tracing::info!(session = %self.session.id(), messages = spool.taken(), lost = spool.lost(), "session ended: {reason}");
        self.context.unpublish(self.session.names.clone(), reason);
    }
}
