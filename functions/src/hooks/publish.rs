//! May this encoder publish?

use headwater_domain::control::decide::{self, Entropy, Publish, Publisher, StartTask};
use headwater_domain::hooks::{DenyKind, GRANT_WITHIN, PublishAnswer, PublishRequest};
use headwater_domain::key::{KeyStatus, StreamKey};
use headwater_domain::ports::{PortResult, StartTasks};
use headwater_domain::stream::StreamDocument;
use headwater_domain::{KeyId, StreamId, Timestamp};

use super::{HookTable, HooksFunction};
use crate::commit::{note_not_started, start_task, write_control_record};

/// What came of the decision, once written.
enum Granted {
    Denied(PublishAnswer),
    Allowed { answer: PublishAnswer, opened: bool, start: Option<StartTask> },
}

impl<T: HookTable, C: StartTasks> HooksFunction<T, C> {
    pub(super) async fn publish(&self, request: &PublishRequest) -> PortResult<PublishAnswer> {
        if self.is_too_late(request) {
            return Ok(deny(DenyKind::TooLate, TOO_LATE));
        }
        let key = request.key.expose().parse::<StreamKey>().ok();
        let attempt = self.publish_guard.attempt(request, key.as_ref());
        let answer = match self.publish_guard.begin(&attempt, self.context.now()) {
            Err(too_many) => deny(DenyKind::TooManyAttempts, &too_many.to_string()),
            Ok(()) => {
                let answer = match &key {
                    Some(key) => self.decide(request, key).await?,
                    None => deny(DenyKind::UnknownKey, UNKNOWN_KEY),
                };
                self.publish_guard.note(&attempt, &answer);
                answer
            }
        };
        if let (PublishAnswer::Deny { .. }, Some(withheld)) =
            (&answer, self.publish_guard.may_tell(self.context.now()))
        {
            // Not the app, and nothing of what is no key: people paste the whole key into the encoder's server field.
            tracing::warn!(address = request.address, ?key, ?answer, withheld, "publish denied");
        }
        Ok(answer)
    }

    async fn decide(&self, request: &PublishRequest, key: &StreamKey) -> PortResult<PublishAnswer> {
        let (stream, expires_at) = match self.admit(key).await? {
            Ok(admitted) => admitted,
            Err(denied) => return Ok(denied),
        };
        // Before the control record, so that the sweep finds whatever the control record leads to.
        self.table.mark_active(&stream.id, &self.context.region).await?;
        let granted = self.grant(&stream, request, key.id(), expires_at).await?;
        let (answer, opened, start) = match granted {
            Granted::Denied(answer) => return Ok(answer),
            Granted::Allowed { answer, opened, start } => (answer, opened, start),
        };
        // The control record is written: all that follows from it is done side by side, for ECS alone takes a second.
        let noted = async {
            // And after it: a sweep may have cleared the mark of an earlier broadcast between the two.
            self.table.mark_active(&stream.id, &self.context.region).await?;
            if let (PublishAnswer::Allow { broadcast, .. }, true) = (&answer, opened) {
                self.table.record_start(broadcast, &self.context.region, self.context.now()).await?;
            }
            PortResult::Ok(())
        };
        let started = async {
            match &start {
                Some(task) => start_task(&self.tasks, task).await,
                None => Ok(()),
            }
        };
        // A key revoked or a stream deleted while we decided: that did not see our control record, so we must see it.
        let (noted, started, admitted) = tokio::join!(noted, started, self.admit(key));
        noted?;
        if let PublishAnswer::Allow { broadcast, .. } = &answer {
            tracing::info!(stream = %stream.id, %broadcast, session = %request.session, address = request.address, key = ?key, opened, "publish allowed");
        }
        if let (Some(task), Err(not_started)) = (start, started) {
            if not_started.passes {
                // The gateway keeps for three minutes what comes meanwhile, and many an encoder does not come again.
                note_not_started(&self.table, task, not_started, &self.context).await?;
            } else {
                self.withdraw(request, &task, &not_started.reason).await?;
                // Why is for the operator, in the log and the broadcast's history: it names accounts and roles.
                let told = "no transcoder can be started now; try again in a moment";
                return Ok(deny(DenyKind::NoCapacity, told));
            }
        }
        let Err(denied) = admitted? else { return Ok(answer) };
        let PublishAnswer::Deny { kind, reason } = &denied else { return Ok(denied) };
        let end = *kind == DenyKind::StreamDeleted || !self.can_be_resumed(&stream.id).await?;
        self.kick(&stream.id, key.id(), reason, end).await?;
        Ok(denied)
    }

    /// Whether the gateway has given the request up: what is granted then, nobody uses and nobody ends.
    fn is_too_late(&self, request: &PublishRequest) -> bool {
        request.asked_at.is_some_and(|at| self.context.now().since(at) > GRANT_WITHIN)
    }

    /// When the request was made, by a clock that cannot open broadcasts of the far future.
    fn asked_at(&self, request: &PublishRequest) -> Timestamp {
        let now = self.context.now();
        request.asked_at.filter(|at| at.since(now) <= GRANT_WITHIN).unwrap_or(now)
    }

    /// What both regions draw for one request, so that they make the same broadcast and the same lease of it; by chance for
    /// gateways that do not say when they asked.
    fn entropy(&self, request: &PublishRequest) -> Entropy {
        if request.asked_at.is_none() {
            return self.context.entropy();
        }
        let derive = |purpose| self.pepper.derive(purpose, request.session.as_str());
        Entropy { broadcast: derive("broadcast of session"), nonce: derive("lease of session") }
    }

    /// Judges the key; `Ok` holds the stream and when the key expires.
    async fn admit(
        &self,
        key: &StreamKey,
    ) -> PortResult<Result<(StreamDocument, Option<Timestamp>), PublishAnswer>> {
        let (stream, ring) =
            tokio::try_join!(self.table.stream(key.stream()), self.table.key(key.stream(), key.id()))?;
        let expires_at = match ring.judge(key, &self.pepper, self.context.now()) {
            KeyStatus::Unknown => return Ok(Err(deny(DenyKind::UnknownKey, UNKNOWN_KEY))),
            KeyStatus::Revoked => {
                let reason = "this stream key was revoked; create a new one";
                return Ok(Err(deny(DenyKind::RevokedKey, reason)));
            }
            KeyStatus::Expired => {
                return Ok(Err(deny(DenyKind::ExpiredKey, "this stream key has expired; create a new one")));
            }
            KeyStatus::Valid(record) => record.expires_at,
        };
        Ok(match stream.filter(|stream| stream.deleted_at.is_none()) {
            Some(stream) => Ok((stream, expires_at)),
            None => Err(deny(DenyKind::StreamDeleted, "this stream was deleted")),
        })
    }

    async fn grant(
        &self,
        stream: &StreamDocument,
        request: &PublishRequest,
        key: &KeyId,
        key_expires_at: Option<Timestamp>,
    ) -> PortResult<Granted> {
        let (asked_at, entropy) = (self.asked_at(request), self.entropy(request));
        let publisher =
            Publisher { session: &request.session, gateway: &request.gateway, key, key_expires_at, asked_at };
        let mut unwritten = None;
        let written = write_control_record(&self.table, &stream.id, &self.context, |replicated, own| {
            let context = &self.context;
            // Asked again with each try: reads may have taken long.
            if self.is_too_late(request) {
                unwritten = Some(Granted::Denied(deny(DenyKind::TooLate, TOO_LATE)));
                return None;
            }
            let decision = decide::publish(replicated, own, stream, &publisher, context.now(), entropy);
            match decision {
                Publish::Deny(answer) => {
                    unwritten = Some(Granted::Denied(answer));
                    None
                }
                Publish::Allow { broadcast, order, opened, next, restart } => {
                    let answer = PublishAnswer::Allow { stream: stream.id.clone(), broadcast, order };
                    match next {
                        Some(next) => {
                            Some((next.record, Granted::Allowed { answer, opened, start: next.start }))
                        }
                        None => {
                            // The first request may have died before it recorded what it opened.
                            unwritten = Some(Granted::Allowed { answer, opened: true, start: restart });
                            None
                        }
                    }
                }
            }
        });
        let written = written.await?;
        Ok(written.or(unwritten).expect("a decision is either written or needs no writing"))
    }

    async fn withdraw(&self, request: &PublishRequest, task: &StartTask, reason: &str) -> PortResult<()> {
        write_control_record(&self.table, &task.stream, &self.context, |replicated, own| {
            let now = self.context.now();
            Some((decide::withdraw(replicated, own, &request.session, &task.lease, reason, now)?, ()))
        })
        .await?;
        Ok(())
    }

    /// Whether any key is left with which a broadcast could go on.
    pub(super) async fn can_be_resumed(&self, stream: &StreamId) -> PortResult<bool> {
        Ok(self.table.key_ring(stream).await?.opens(self.context.now()))
    }

    async fn kick(&self, stream: &StreamId, key: &KeyId, reason: &str, end: bool) -> PortResult<()> {
        write_control_record(&self.table, stream, &self.context, |replicated, own| {
            let now = self.context.now();
            Some((decide::kick(replicated, own, |used| used == key, reason, end, now)?, ()))
        })
        .await?;
        Ok(())
    }
}

const TOO_LATE: &str = "the service took too long to check the stream key, please try again";
const UNKNOWN_KEY: &str = "unknown stream key; copy it again from where the stream was created";

fn deny(kind: DenyKind, reason: &str) -> PublishAnswer {
    PublishAnswer::Deny { kind, reason: reason.into() }
}
