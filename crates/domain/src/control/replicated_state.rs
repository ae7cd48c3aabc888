//! What holds, computed from the items of both regions.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::record::{ControlRecord, End, Kick, LeaseRecord, SessionRecord, StopOrder};
use crate::heartbeat::{Activity, DEAD_AFTER, GivenUp, Heartbeat, LeaseProgress};
use crate::ids::{BroadcastId, Lease, Region, SessionId};
use crate::time::Timestamp;

/// A task may take so long from RunTask to its first heartbeat (Fargate: 20–70 s) before it counts as failed.
pub const START_PATIENCE: Duration = Duration::from_secs(120);
/// Without any sign of life a connected session is believed for so long beyond its window; the peer waits as long
/// before it declares a broadcast of the other region over.
pub const PEER_PATIENCE: Duration = Duration::from_secs(60);
/// A broadcast is `live` if media was committed at most so long before the newest heartbeat: the silence that a gateway
/// bears from an encoder (10 s), two segments of 2 s, uploads. How old the media itself is says how late the broadcast is,
/// not whether it flows: an encoder at 0.9× falls behind for ever.
pub const LIVE_WITHIN: Duration = Duration::from_secs(15);

/// For so long after a broadcast has ended whoever waits for the stream is told that its source could not be used: its owner
/// comes and looks. Later it is history.
const GIVEN_UP_TOLD: Duration = Duration::from_secs(300);

/// The state of a broadcast.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// A publisher is there; there is no media yet.
    Starting,
    /// Media is flowing.
    Live,
    /// Media has flowed and does not now: the publisher is lost and may come back, or its transcoder is being replaced.
    Reconnecting,
    /// Over.
    Ended,
    /// Over, and it was our failure.
    Failed,
}

impl State {
    /// Whether the broadcast can still go on.
    pub fn is_open(self) -> bool {
        matches!(self, Self::Starting | Self::Live | Self::Reconnecting)
    }
}

/// Both regions' items of one stream, read together.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReplicatedState {
    /// The control records there are.
    pub records: Vec<ControlRecord>,
    /// The heartbeats there are.
    pub heartbeats: Vec<Heartbeat>,
}

impl ReplicatedState {
    /// The session that holds: the newest accepted in either region, of the newest broadcast.
    pub fn session(&self) -> Option<&SessionRecord> {
        self.records
            .iter()
            .filter_map(|record| Some((record.session.as_ref()?, &record.region)))
            .max_by_key(|(session, region)| (&session.broadcast, session.order, *region, &session.id))
            .map(|(session, _)| session)
    }

    /// Whether a session of this id was granted and is the newest of its region.
    pub fn knows(&self, session: &SessionId) -> bool {
        self.records.iter().filter_map(|record| record.session.as_ref()).any(|known| known.id == *session)
    }

    /// The broadcast that holds.
    pub fn broadcast(&self) -> Option<&BroadcastId> {
        self.session().map(|session| &session.broadcast)
    }

    /// The lease that holds for the current broadcast.
    pub fn lease(&self) -> Option<&LeaseRecord> {
        let broadcast = self.broadcast()?;
        self.records
            .iter()
            .filter_map(|record| record.lease.as_ref())
            .filter(|lease| lease.broadcast == *broadcast)
            .max_by(|a, b| a.lease.cmp(&b.lease))
    }

    /// Leases of `broadcast` that are known of: those that hold, standbys, and those that were heard of last.
    pub fn leases_of<'a>(&'a self, broadcast: &'a BroadcastId) -> impl Iterator<Item = &'a Lease> {
        let granted = self.records.iter().filter_map(|record| record.lease.as_ref());
        let granted = granted.filter(move |record| record.broadcast == *broadcast);
        let granted = granted.flat_map(|record| std::iter::once(&record.lease).chain(&record.crossed));
        let heard = self
            .heartbeats
            .iter()
            .filter(move |heartbeat| heartbeat.broadcast == *broadcast)
            .map(|heartbeat| &heartbeat.lease);
        granted.chain(heard).chain(self.standbys_of(broadcast))
    }

    /// How far leases of `broadcast` have come, by region, as far as heartbeats tell.
    pub fn lease_progress(&self, broadcast: &BroadcastId) -> impl Iterator<Item = (Region, LeaseProgress)> {
        let of_it = self
            .heartbeats
            .iter()
            .flat_map(Heartbeat::lease_progress)
            .filter(move |it| it.broadcast == *broadcast);
        of_it.map(|it| (it.region, it.progress))
    }

    /// The newest heartbeat of `lease`.
    pub fn heartbeat_of(&self, lease: &Lease) -> Option<&Heartbeat> {
        self.heartbeats
            .iter()
            .filter(|heartbeat| heartbeat.lease == *lease)
            .max_by_key(|heartbeat| heartbeat.at)
    }

    /// The newest heartbeat of the current lease.
    pub fn heartbeat(&self) -> Option<&Heartbeat> {
        self.heartbeat_of(&self.lease()?.lease)
    }

    /// Why `session` must be closed, if it must.
    pub fn kick_of(&self, session: &SessionId) -> Option<&Kick> {
        self.records.iter().filter_map(|record| record.kick.as_ref()).find(|kick| kick.session == *session)
    }

    /// The owner's newest order to stop the stream.
    pub fn stop_order(&self) -> Option<&StopOrder> {
        self.records.iter().filter_map(|record| record.stop.as_ref()).max_by_key(|stop| stop.at)
    }

    /// How the current broadcast ended, if somebody said so.
    pub fn end(&self) -> Option<&End> {
        let broadcast = self.broadcast()?;
        self.records
            .iter()
            .filter_map(|record| record.end.as_ref())
            .filter(|end| end.broadcast == *broadcast)
            .min_by_key(|end| end.at)
    }

    /// Whether the current lease's task can serve: it was not declared over, and sends heartbeats or is still expected to start.
    pub fn lease_lives(&self, now: Timestamp) -> bool {
        let Some(lease) = self.lease() else { return false };
        if self.is_over(&lease.lease) {
            return false;
        }
        match self.heartbeat_of(&lease.lease) {
            Some(heartbeat) => {
                heartbeat.health.activity != Activity::Leaving && now.since(heartbeat.at) <= DEAD_AFTER
            }
            None => now.since(lease.granted_at) <= START_PATIENCE,
        }
    }

    /// Whether a task of `lease` was declared over.
    pub fn is_over(&self, lease: &Lease) -> bool {
        self.records.iter().filter_map(|record| record.over.as_ref()).any(|over| over.lease == *lease)
    }

    /// Since when the current session's publisher has been lost, as far as anybody knows.
    pub fn lost_since(&self, now: Timestamp) -> Option<Timestamp> {
        let session = self.session()?;
        let kicked = self.kick_of(&session.id).map(|_| session.accepted_at);
        self.said_lost_since().or_else(|| self.silent_since(now)).or(kicked)
    }

    /// Whether the publisher counts as lost only because nothing was heard for long. That is no knowledge: a region that was
    /// away itself has heard of nothing either.
    pub fn is_presumed_lost(&self, now: Timestamp) -> bool {
        self.said_lost_since().is_none() && self.silent_since(now).is_some()
    }

    /// What the gateway or the task has said.
    fn said_lost_since(&self) -> Option<Timestamp> {
        let session = self.session()?;
        let told = self
            .records
            .iter()
            .filter_map(|record| record.gone.as_ref())
            .filter(|gone| gone.session == session.id)
            .map(|gone| gone.at)
            .min();
        let seen = self
            .heartbeat()
            .filter(|heartbeat| heartbeat.health.session.as_ref() == Some(&session.id))
            .and_then(|heartbeat| heartbeat.health.source_lost_since);
        told.or(seen)
    }

    /// Nobody has heard of the task for long: the whole region may be gone, with the gateway. A task that has not come up
    /// yet is not silent before it is late.
    fn silent_since(&self, now: Timestamp) -> Option<Timestamp> {
        let first_sign = || self.lease().map(|lease| lease.granted_at + START_PATIENCE);
        let last_sign = self.heartbeat().map(|heartbeat| heartbeat.at).or_else(first_sign);
        last_sign.filter(|at| now.since(*at) > self.window() + PEER_PATIENCE)
    }

    /// Why the current lease's task cannot use the source of `session`, if it cannot.
    pub fn given_up(&self, session: &SessionId) -> Option<&GivenUp> {
        let health = &self.heartbeat()?.health;
        health.given_up.as_ref().filter(|_| health.session.as_ref() == Some(session))
    }

    /// What is wrong with what the encoder of the current session sends, for viewers. Anybody may read it who knows the
    /// playback URL, so nothing else that goes wrong is in it.
    pub fn source_problem(&self, now: Timestamp) -> Option<&str> {
        let session = &self.session()?.id;
        let health = &self.heartbeat()?.health;
        let ended = self.ended_at(now);
        let given_up = self.given_up(session).filter(|given_up| given_up.is_source);
        let given_up = given_up.filter(|_| ended.is_none_or(|at| now.since(at) <= GIVEN_UP_TOLD));
        let goes_on = || ended.is_none() && health.session.as_ref() == Some(session);
        let told = || health.source_problem.as_ref().filter(|_| goes_on());
        given_up.map(|given_up| &given_up.reason).or_else(told).map(String::as_str)
    }

    /// Whether somebody publishes, as far as anybody knows.
    pub fn is_published(&self, now: Timestamp) -> bool {
        self.session().is_some() && self.ended_at(now).is_none() && self.lost_since(now).is_none()
    }

    /// When media of the lease that holds has last flowed; as long as it has made none, that of the lease it was promoted
    /// in place of: a handover is no interruption.
    pub(super) fn flowed_at(&self) -> Option<Timestamp> {
        let own = self.heartbeat().and_then(|heartbeat| heartbeat.health.flowed_at());
        let before = || self.lease()?.promotion.as_ref()?.flowed_at;
        own.or_else(before)
    }

    /// Whether media of the current broadcast was ever committed.
    fn has_flowed(&self) -> bool {
        let Some(broadcast) = self.broadcast() else { return false };
        let told = |heartbeat: &Heartbeat| {
            heartbeat.broadcast == *broadcast && heartbeat.health.flowed_at().is_some()
        };
        self.heartbeats.iter().any(told) || self.lease_progress(broadcast).next().is_some()
    }

    /// Whether the current session's gateway may have media that no task has read: none has told that it came to the end.
    pub fn is_unread(&self) -> bool {
        let Some(session) = self.session() else { return false };
        let has_read_out = |heartbeat: &Heartbeat| {
            heartbeat.health.session.as_ref() == Some(&session.id)
                && heartbeat.health.source_lost_since.is_some()
        };
        !self.heartbeats.iter().filter(|heartbeat| !heartbeat.is_of_a_standby()).any(has_read_out)
    }

    /// The stream's reconnect window.
    pub fn window(&self) -> Duration {
        let seconds = self.session().map_or(0, |session| session.settings.reconnect_window_seconds);
        Duration::from_secs(seconds.into())
    }

    /// When the current broadcast ended, if it has: declared, or its window has passed unused.
    pub fn ended_at(&self, now: Timestamp) -> Option<Timestamp> {
        if let Some(end) = self.end() {
            return Some(end.at);
        }
        let over = self.lost_since(now)? + self.window();
        (over <= now).then_some(over)
    }

    /// Whether a task of `broadcast` was heard of lately that has not said goodbye.
    pub fn is_written(&self, broadcast: &BroadcastId, now: Timestamp) -> bool {
        let writes = |heartbeat: &Heartbeat| {
            heartbeat.health.activity != Activity::Leaving
                && now.since(heartbeat.at) <= DEAD_AFTER
                && !heartbeat.is_of_a_standby()
        };
        self.heartbeats.iter().any(|heartbeat| heartbeat.broadcast == *broadcast && writes(heartbeat))
    }

    /// Whether nothing more will be written for the current broadcast: it has ended, and its task has said goodbye, is
    /// over or has been silent for too long. Only then a playlist may say that it is complete.
    pub fn is_settled(&self, now: Timestamp) -> bool {
        self.ended_at(now).is_some() && !self.lease_lives(now)
    }

    /// The state of the current broadcast; `None` if there never was one.
    pub fn state(&self, now: Timestamp) -> Option<State> {
        self.session()?;
        if self.end().is_some_and(|end| end.failed) {
            return Some(State::Failed);
        }
        if self.ended_at(now).is_some() {
            return Some(State::Ended);
        }
        if self.lost_since(now).is_some() {
            return Some(State::Reconnecting);
        }
        let flowing = self.heartbeat().is_some_and(|heartbeat| {
            now.since(heartbeat.at) <= DEAD_AFTER
                && self.flowed_at().is_some_and(|at| heartbeat.at.since(at) <= LIVE_WITHIN)
        });
        Some(match flowing && self.lease_lives(now) {
            true => State::Live,
            false if self.has_flowed() => State::Reconnecting,
            false => State::Starting,
        })
    }
}
