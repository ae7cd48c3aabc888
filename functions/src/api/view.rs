//! What the API shows of streams, keys and broadcasts.

use headwater_domain::key::{KeyRecord, StreamKey};
use headwater_domain::live::{Situation, State};
use headwater_domain::ports::BroadcastRecord;
use headwater_domain::stream::StreamDocument;
use headwater_domain::timeline::playlist_path;
use headwater_domain::{Region, Timestamp};
use serde_json::{Map, Value, json};

use super::Places;
use crate::date::date;

/// A stream; `offline` if nothing of it is live.
pub(super) fn stream(
    document: &StreamDocument,
    situation: &Situation,
    places: &Places,
    now: Timestamp,
) -> Map<String, Value> {
    let state = situation.state(now);
    let status = match state {
        Some(state) if state.is_open() => json!(state),
        Some(State::Failed) => json!("failed"),
        _ => json!("offline"),
    };
    let view = json!({
        "id": document.id,
        "name": document.name,
        "status": status,
        "ingest": { "rtmp": places.rtmp, "rtmps": places.rtmps },
        "playback_url": format!("{}/live/{}/index.m3u8", places.edge.trim_end_matches('/'), document.id),
        "settings": document.settings,
        "created_at": date(document.created_at),
        "updated_at": date(document.updated_at),
        "broadcast": situation.session().map(|session| current(situation, session.started_at, state, now)),
    });
    match view {
        Value::Object(view) => view,
        _ => Map::new(),
    }
}

fn current(situation: &Situation, started_at: Timestamp, state: Option<State>, now: Timestamp) -> Value {
    let health = situation.beat().map(|beat| &beat.health);
    json!({
        "id": situation.broadcast(),
        "state": state,
        "started_at": date(started_at),
        "ended_at": situation.ended_at(now).map(date),
        "reason": situation.end().map(|end| &end.reason),
        "region": situation.lease().map(|lease| &lease.lease.region),
        "lease": situation.lease().map(|lease| lease.lease.to_string()),
        "media_until": health.and_then(|health| health.media_until).map(date),
        "decode_errors": health.map_or(0, |health| health.decode_errors),
        "mirror_lag": health.map_or(0, |health| health.mirror_lag),
        "fast_preset": health.is_some_and(|health| health.fast_preset),
        "renditions_dropped": health.map_or(0, |health| health.renditions_dropped),
        "problem": health.and_then(|health| health.problem.as_deref()),
    })
}

/// A stream key; its value only when it is made.
pub(super) fn key(record: &KeyRecord, value: Option<&StreamKey>) -> Value {
    let mut view = json!({
        "id": record.id,
        "label": record.label,
        "created_at": date(record.created_at),
        "expires_at": record.expires_at.map(date),
    });
    if let Some(value) = value {
        view["value"] = json!(value.reveal());
    }
    view
}

/// A broadcast of the history. `situation` tells of the newest one, which may still run.
pub(super) fn broadcast(
    record: &BroadcastRecord,
    has_recording: bool,
    situation: &Situation,
    region: &Region,
    places: &Places,
    now: Timestamp,
) -> Value {
    let is_current = situation.broadcast() == Some(&record.id);
    let state = match (&record.end, situation.state(now)) {
        (Some(end), _) if end.failed => State::Failed,
        (None, Some(state)) if is_current => state,
        _ => State::Ended,
    };
    let ended_at =
        record.end.as_ref().map(|end| end.at).or_else(|| situation.ended_at(now).filter(|_| is_current));
    let recording =
        format!("{}/{}", places.edge.trim_end_matches('/'), playlist_path(region, &record.id, "index"));
    json!({
        "id": record.id,
        "state": state,
        "started_at": date(record.started_at),
        "ended_at": ended_at.map(date),
        "reason": record.end.as_ref().map(|end| &end.reason),
        "recording_url": (!state.is_open() && has_recording).then_some(recording),
    })
}
