//! Signs of life, and what is ordered in return.

use std::time::Duration;

use futures::stream::{self, StreamExt, TryStreamExt};
use headwater_domain::control::decide::{self, HeartbeatOutcome};
use headwater_domain::control::{ReplicatedState, SessionRecord};
use headwater_domain::hooks::{
    Gateway, GatewayHeartbeat, GatewayOrders, MAX_SESSIONS_PER_HEARTBEAT, SessionRef, Source,
    TranscoderHeartbeat, TranscoderOrder, Withdrawn,
};
use headwater_domain::ports::{PortResult, StartTasks, Write};
use headwater_domain::timeline::{ResumePoint, Takeover};
use headwater_domain::tokens::SourceRight;
use headwater_domain::{SessionId, Timestamp};
use http::StatusCode;

use super::{HookTable, HooksFunction};
use crate::reply::Problem;

/// A source token is made anew with every heartbeat; it outlives the longest hook outage that a source survives.
const SOURCE_TOKEN_FOR: Duration = Duration::from_secs(600);
/// Newest entries to look at for a resume: more than two leases can overlap by.
pub(super) const RESUME_ENTRIES: usize = 40;
/// Media of a segment, at least: of two seconds, cut at a key frame.
const SHORTEST_SEGMENT: Duration = Duration::from_secs(1);
/// Reads for one gateway heartbeat that are under way at once.
const READS_AT_ONCE: usize = 16;

impl<T: HookTable, C: StartTasks> HooksFunction<T, C> {
    pub(super) async fn gateway_heartbeat(
        &self,
        heartbeat: &GatewayHeartbeat,
    ) -> Result<GatewayOrders, Problem> {
        if heartbeat.sessions.len() + heartbeat.withdrawn.len() > MAX_SESSIONS_PER_HEARTBEAT {
            let detail =
                format!("one heartbeat names at most {MAX_SESSIONS_PER_HEARTBEAT} sessions; send several");
            return Err(Problem::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                "too-large",
                "Too many sessions",
                detail,
            ));
        }
        let order_of = |session: SessionRef| async move {
            let order = self.session_order(&session).await?;
            PortResult::Ok((session.session, order))
        };
        let orders =
            stream::iter(heartbeat.sessions.iter().cloned()).map(order_of).buffer_unordered(READS_AT_ONCE);
        let sessions = orders.try_collect().await?;
        let take_back = |withdrawn: Withdrawn| async move { self.take_back(&withdrawn).await };
        let withdrawn =
            stream::iter(heartbeat.withdrawn.iter().cloned()).map(take_back).buffer_unordered(READS_AT_ONCE);
        let withdrawn: Vec<Option<SessionId>> = withdrawn.try_collect().await?;
        let withdrawn = withdrawn.into_iter().flatten().collect();
        Ok(GatewayOrders { sessions, superseded: self.superseded(heartbeat), withdrawn })
    }

    /// Whether the gateway is of another deployment than this function. The other region is deployed by itself, so only
    /// the gateway's own region can tell.
    fn superseded(&self, heartbeat: &GatewayHeartbeat) -> Option<bool> {
        let own = self.revision.as_ref().filter(|_| heartbeat.gateway.region == self.context.region)?;
        Some(heartbeat.revision.as_ref()? != own)
    }

    pub(super) async fn transcoder_heartbeat(
        &self,
        heartbeat: &TranscoderHeartbeat,
    ) -> PortResult<TranscoderOrder> {
        let now = self.context.now();
        let replicated = self.table.replicated_state(&heartbeat.stream).await?;
        let fencing_token = self.signing.fencing_token_fingerprint(&heartbeat.fencing_token);
        if self.hides_that_it_is_a_standby(heartbeat, &replicated) {
            tracing::error!(stream = %heartbeat.stream, lease = %heartbeat.lease, "a standby's task does not say that it is one: its image is of an older version");
            return Ok(TranscoderOrder::Fenced);
        }
        let mut replicated = replicated;
        let mut outcome = decide::heartbeat(&replicated, heartbeat, &fencing_token, now);
        // Also that of a task that is to stop: while it sends heartbeats it may have media yet to write. And that of one that has
        // lost: what it has written was seen.
        if outcome != HeartbeatOutcome::Fenced || heartbeat.health.segment.is_some() {
            let record = decide::record_heartbeat(
                &self.context.region,
                &replicated,
                heartbeat,
                fencing_token.clone(),
                now,
            );
            let written = self.table.put_heartbeat(&record).await?;
            let is_over = matches!(outcome, HeartbeatOutcome::Stop(_) | HeartbeatOutcome::HandedOver);
            if written == Write::Lost && !is_over {
                return Ok(TranscoderOrder::Fenced);
            }
            if written == Write::Stored {
                replicated = replicated.with_heartbeat(record);
            }
            // Boxed: it is rare, and would double the size of every heartbeat's future.
            if Box::pin(self.hand_over(heartbeat, &replicated)).await? {
                replicated = self.table.replicated_state(&heartbeat.stream).await?;
                outcome = decide::heartbeat(&replicated, heartbeat, &fencing_token, self.context.now());
            }
        }
        Ok(match outcome {
            HeartbeatOutcome::Transcode(session) => self.transcode(heartbeat, &replicated, *session).await?,
            HeartbeatOutcome::Rehearse(session) => self.rehearse(heartbeat, &session),
            HeartbeatOutcome::Hold => TranscoderOrder::Hold,
            HeartbeatOutcome::HandedOver => TranscoderOrder::HandedOver,
            HeartbeatOutcome::Wait => TranscoderOrder::Wait,
            HeartbeatOutcome::Stop(reason) => TranscoderOrder::Stop { reason },
            HeartbeatOutcome::Fenced => TranscoderOrder::Fenced,
        })
    }

    async fn transcode(
        &self,
        heartbeat: &TranscoderHeartbeat,
        replicated: &ReplicatedState,
        session: SessionRecord,
    ) -> PortResult<TranscoderOrder> {
        // Only a lease that has written nothing yet needs to know where the timeline stands.
        let resume = match heartbeat.health.segment {
            None => self.resume(heartbeat, replicated, session.started_at).await?,
            Some(_) => None,
        };
        let earlier = decide::unread(&session, heartbeat, resume.as_ref());
        let right = SourceRight { lease: heartbeat.lease.clone(), writes: true };
        let earlier = earlier.into_iter().map(|one| self.source(&one.id, &one.gateway, &right)).collect();
        Ok(TranscoderOrder::Transcode {
            source: self.source(&session.id, &session.gateway, &right),
            earlier,
            settings: Box::new(session.settings.transcode()),
            resume: resume.map(Box::new),
            started_at: session.started_at,
            resume_after: decide::resume_after(replicated, heartbeat),
            handover: replicated.handover_order(heartbeat, &self.context.region, self.context.now()),
        })
    }

    fn rehearse(&self, heartbeat: &TranscoderHeartbeat, session: &SessionRecord) -> TranscoderOrder {
        let right = SourceRight { lease: heartbeat.lease.clone(), writes: false };
        TranscoderOrder::Rehearse {
            source: self.source(&session.id, &session.gateway, &right),
            settings: Box::new(session.settings.transcode()),
            started_at: session.started_at,
        }
    }

    /// Whether the task of a standby, as its own region knows for sure, takes itself for its holder: it would be let write.
    fn hides_that_it_is_a_standby(
        &self,
        heartbeat: &TranscoderHeartbeat,
        replicated: &ReplicatedState,
    ) -> bool {
        let is_standby = replicated.standby().is_some_and(|standby| standby.lease == heartbeat.lease);
        is_standby && heartbeat.health.standby.is_none() && heartbeat.lease.region == self.context.region
    }

    fn source(&self, session: &SessionId, gateway: &Gateway, right: &SourceRight) -> Source {
        let url = format!("{}/sources/{session}", gateway.source.trim_end_matches('/'));
        let token = self.signing.source_token(session, right, self.context.now() + SOURCE_TOKEN_FOR);
        Source { session: session.clone(), url, token }
    }

    async fn resume(
        &self,
        heartbeat: &TranscoderHeartbeat,
        replicated: &ReplicatedState,
        began: Timestamp,
    ) -> PortResult<Option<ResumePoint>> {
        let entries = self.table.newest(&heartbeat.broadcast, RESUME_ENTRIES).await?;
        let takeover = Takeover {
            lease: &heartbeat.lease,
            written: entries.into_iter().filter(|entry| entry.lease < heartbeat.lease).collect(),
            known: replicated.leases_of(&heartbeat.broadcast).collect(),
            seen_in: &self.context.region,
            began,
            shortest: SHORTEST_SEGMENT,
        };
        Ok(takeover.resume(self.context.now()))
    }
}
