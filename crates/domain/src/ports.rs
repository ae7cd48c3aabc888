//! What the domain needs of the world, one small trait per need: each matches one IAM statement.
//!
//! Every port has a fake in [`crate::testing`] and one conformance suite that the fake and the real adapter both pass.

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::time::Duration;

use bytes::Bytes;
use thiserror::Error;

use crate::control::decide::StartTask;
use crate::control::{ControlRecord, End, ReplicatedState};
use crate::heartbeat::Heartbeat;
use crate::hooks::{
    GatewayHeartbeat, GatewayOrders, PublishAnswer, PublishRequest, TranscoderHeartbeat, TranscoderOrder,
    UnpublishRequest,
};
use crate::ids::{BroadcastId, KeyId, Region, StreamId};
use crate::key::{KeyRecord, KeyRing};
use crate::paths::PartPath;
use crate::stream::StreamDocument;
use crate::time::Timestamp;
use crate::timeline::Entry;

/// What kind of trouble a port had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultKind {
    /// Too many requests; later it will work.
    Throttled,
    /// Out of reach or failing; may work elsewhere or later.
    Unavailable,
    /// It took the request, or the connection, and did not answer in time; may work elsewhere or later.
    TimedOut,
    /// What is stored cannot be understood.
    Corrupt,
    /// We asked for something we must not; a mistake of ours or of the deployment.
    Refused,
    /// The permission is missing, or was given so lately that not everybody knows of it.
    Forbidden,
}

impl FaultKind {
    /// Whether the same request may do better later, or elsewhere.
    pub fn passes(self) -> bool {
        matches!(self, Self::Throttled | Self::Unavailable | Self::TimedOut)
    }

    /// Whether it was answered, and the answer is no: nobody is slow, and nobody is out of reach.
    pub fn is_refusal(self) -> bool {
        matches!(self, Self::Refused | Self::Forbidden)
    }
}

impl fmt::Display for FaultKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Throttled => "too many requests",
            Self::Unavailable => "out of reach or failing",
            Self::TimedOut => "no answer in time",
            Self::Corrupt => "an answer that cannot be understood",
            Self::Refused => "refused",
            Self::Forbidden => "permission denied",
        })
    }
}

/// A port failed.
#[derive(Debug, Error)]
#[error("{action}: {kind}")]
pub struct PortError {
    /// What to make of it.
    pub kind: FaultKind,
    /// What was being done.
    pub action: &'static str,
    /// The cause.
    #[source]
    pub source: Box<dyn std::error::Error + Send + Sync>,
}

impl PortError {
    /// What happened, for operators: its kind, and the cause's own words. These may name roles and accounts.
    pub fn told(&self) -> String {
        format!("{} ({})", self.kind, self.source)
    }
}

/// Result of a port.
pub type PortResult<T> = Result<T, PortError>;

/// What came of a conditional write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Write {
    /// It is stored (or was already, exactly so).
    Stored,
    /// Somebody else was first; read and decide again.
    Lost,
}

/// One page of a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    /// The items; the last one is the place to go on after.
    pub items: Vec<T>,
    /// Whether there is more.
    pub more: bool,
}

/// A stream's place in the listing of all streams.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ListingPosition {
    /// When it was created.
    pub created_at: Timestamp,
    /// Its id.
    pub id: StreamId,
}

/// Reads streams.
pub trait ReadStreams: Send + Sync {
    /// The document that holds, deleted ones too.
    fn stream(&self, id: &StreamId) -> impl Future<Output = PortResult<Option<StreamDocument>>> + Send;
    /// Streams, newest first, those after `after` in that order.
    fn streams(
        &self,
        after: Option<&ListingPosition>,
        limit: usize,
    ) -> impl Future<Output = PortResult<Page<ListingPosition>>> + Send;
}

/// Writes streams.
pub trait WriteStreams: Send + Sync {
    /// Stores `document` if this region's stored version is lower (or it is new).
    fn put_stream(&self, document: &StreamDocument) -> impl Future<Output = PortResult<Write>> + Send;
    /// Puts the stream into the listing.
    fn list_stream(&self, document: &StreamDocument) -> impl Future<Output = PortResult<()>> + Send;
    /// Takes it out again.
    fn unlist_stream(&self, document: &StreamDocument) -> impl Future<Output = PortResult<()>> + Send;
}

/// Reads stream keys.
pub trait ReadKeys: Send + Sync {
    /// All keys of a stream, read consistently in this region.
    fn key_ring(&self, stream: &StreamId) -> impl Future<Output = PortResult<KeyRing>> + Send;
    /// One key of a stream and whether it was revoked, read consistently in this region: one small read, however many keys
    /// the stream has or had.
    fn key(&self, stream: &StreamId, key: &KeyId) -> impl Future<Output = PortResult<KeyRing>> + Send;
}

/// Writes stream keys.
pub trait WriteKeys: Send + Sync {
    /// Stores a new key; storing the same one again is no change.
    fn add_key(&self, record: &KeyRecord) -> impl Future<Output = PortResult<()>> + Send;
    /// Notes that this region revoked a key.
    fn revoke_key(
        &self,
        stream: &StreamId,
        key: &KeyId,
        region: &Region,
        at: Timestamp,
    ) -> impl Future<Output = PortResult<()>> + Send;
}

/// Requests are remembered for so long.
pub const REMEMBERED_FOR: Duration = Duration::from_secs(24 * 3600);

/// A request that was made with an `Idempotency-Key`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remembered {
    /// Which region was asked.
    pub region: Region,
    /// Fingerprint of the request.
    pub request: String,
    /// When it was first made there.
    pub at: Timestamp,
}

/// Remembers requests for [`REMEMBERED_FOR`].
pub trait RememberRequests: Send + Sync {
    /// Stores `request` under `key` unless its region remembers one already; answers what either region remembers now.
    fn remember(
        &self,
        key: &str,
        request: &Remembered,
        now: Timestamp,
    ) -> impl Future<Output = PortResult<Vec<Remembered>>> + Send;
}

/// Reads what is live.
pub trait ReadControl: Send + Sync {
    /// Both regions' control records and heartbeats of a stream, read consistently in this region.
    fn replicated_state(&self, stream: &StreamId)
    -> impl Future<Output = PortResult<ReplicatedState>> + Send;
    /// Streams that `region` holds for active.
    fn active(&self, region: &Region) -> impl Future<Output = PortResult<Vec<StreamId>>> + Send;
}

/// Writes this region's control records.
pub trait WriteControl: Send + Sync {
    /// Stores the control record if the stored version is the one before.
    fn put_control_record(&self, record: &ControlRecord) -> impl Future<Output = PortResult<Write>> + Send;
    /// Notes that the stream may be live, so that the sweep finds it.
    fn mark_active(&self, stream: &StreamId, region: &Region) -> impl Future<Output = PortResult<()>> + Send;
    /// Takes the note back.
    fn clear_active(&self, stream: &StreamId, region: &Region)
    -> impl Future<Output = PortResult<()>> + Send;
}

/// Writes this region's heartbeats.
pub trait WriteHeartbeats: Send + Sync {
    /// Stores the heartbeat unless one of a higher lease (or of another process with this lease) is there; those of standbys
    /// and of others are kept apart.
    fn put_heartbeat(&self, heartbeat: &Heartbeat) -> impl Future<Output = PortResult<Write>> + Send;
}

/// A broadcast as its history tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BroadcastRecord {
    /// Its id.
    pub id: BroadcastId,
    /// When it began.
    pub started_at: Timestamp,
    /// How it ended.
    pub end: Option<End>,
}

/// Reads the history of broadcasts.
pub trait ReadBroadcasts: Send + Sync {
    /// A stream's broadcasts, newest first.
    fn broadcasts(
        &self,
        stream: &StreamId,
        after: Option<&BroadcastId>,
        limit: usize,
    ) -> impl Future<Output = PortResult<Page<BroadcastRecord>>> + Send;
}

/// Writes the history of broadcasts.
pub trait WriteBroadcasts: Send + Sync {
    /// Notes that `region` opened a broadcast.
    fn record_start(
        &self,
        broadcast: &BroadcastId,
        region: &Region,
        at: Timestamp,
    ) -> impl Future<Output = PortResult<()>> + Send;
    /// Notes that `region` declared it over.
    fn record_end(&self, end: &End, region: &Region) -> impl Future<Output = PortResult<()>> + Send;
}

/// Entries of one recording that are read: a day of segments. Whoever leaves an encoder running for a week must not make a
/// function read gigabytes.
pub const MAX_RECORDED: usize = 43_200;

/// Reads timelines.
pub trait ReadTimeline: Send + Sync {
    /// The newest `limit` entries by (number, lease), in no promised order; resolve them.
    fn newest(
        &self,
        broadcast: &BroadcastId,
        limit: usize,
    ) -> impl Future<Output = PortResult<Vec<Entry>>> + Send;
    /// The oldest `limit` entries by (number, lease), in no promised order.
    fn oldest(
        &self,
        broadcast: &BroadcastId,
        limit: usize,
    ) -> impl Future<Output = PortResult<Vec<Entry>>> + Send;
    /// All entries of a broadcast, in no promised order; of one with more than [`MAX_RECORDED`], about so many of the
    /// newest.
    fn all(&self, broadcast: &BroadcastId) -> impl Future<Output = PortResult<Vec<Entry>>> + Send;
}

/// What came of a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Commit {
    /// The entry is in the timeline.
    Committed,
    /// Another entry is there under this lease and number: two processes write with one lease. Stop at once.
    Fenced,
}

/// Extends timelines.
pub trait WriteTimeline: Send + Sync {
    /// Puts one entry; the same entry again is no change.
    fn commit(&self, entry: &Entry) -> impl Future<Output = PortResult<Commit>> + Send;
}

/// What came of starting a task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TaskStart {
    /// It is being started (or was before, by the same token).
    Started,
    /// It cannot be started now; the reason is ECS's.
    Failed(String),
    /// Too many were started at once; the same can be asked again in a while. In ECS's words, too.
    Throttled(String),
    /// Nobody knows whether it is: there was no answer in time. Its heartbeats will tell.
    Unanswered,
}

/// Starts transcoder tasks.
pub trait StartTasks: Send + Sync {
    /// Starts a transcoder in the lease's region.
    fn start(&self, task: &StartTask) -> impl Future<Output = PortResult<TaskStart>> + Send;
}

/// Which bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bucket {
    /// That of the region the task runs in.
    Own,
    /// That of the peer.
    Mirror,
}

/// Stores media objects.
pub trait PutMedia: Send + Sync {
    /// The region whose bucket is the mirror now; `None` if there is no other region. It may change between two objects.
    fn mirror(&self) -> Option<Region>;

    /// Stores one immutable object.
    fn put_media(
        &self,
        bucket: Bucket,
        path: &str,
        content_type: &'static str,
        body: Bytes,
    ) -> impl Future<Output = PortResult<()>> + Send;
}

/// Reads parts of low-latency segments.
pub trait ReadParts: Send + Sync {
    /// The bytes of a part in this region's bucket; `None` if it is not there.
    fn part(&self, path: &PartPath) -> impl Future<Output = PortResult<Option<Bytes>>> + Send;
}

/// An HTTP API, as its region lists it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ListedApi {
    /// Its id.
    pub id: String,
    /// Its URL.
    pub endpoint: String,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
}

/// Reads the HTTP APIs of any region of the account.
pub trait ReadApis: Send + Sync {
    /// All of a region.
    fn apis(&self, region: &Region) -> impl Future<Output = PortResult<Vec<ListedApi>>> + Send;
    /// The tags of an API's stage `$default`.
    fn stage_tags(
        &self,
        region: &Region,
        api: &str,
    ) -> impl Future<Output = PortResult<BTreeMap<String, String>>> + Send;
}

/// A file of the player page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SiteFile {
    /// Its bytes.
    pub body: Bytes,
    /// Its Content-Type.
    pub content_type: &'static str,
    /// Its Cache-Control.
    pub cache_control: &'static str,
}

/// Puts the player page into a bucket and takes it out.
pub trait WriteSite: Send + Sync {
    /// Stores a file in place of what is there.
    fn put_file(
        &self,
        bucket: &str,
        key: &str,
        file: SiteFile,
    ) -> impl Future<Output = PortResult<()>> + Send;
    /// Deletes a file; one that is not there is no error.
    fn delete_file(&self, bucket: &str, key: &str) -> impl Future<Output = PortResult<()>> + Send;
    /// Keys that begin with `prefix`: all, or as many as one answer of the store has.
    fn some_files(&self, bucket: &str, prefix: &str) -> impl Future<Output = PortResult<Vec<String>>> + Send;
}

/// The control plane, as gateway and transcoder see it.
pub trait Hooks: Send + Sync {
    /// Asks whether an encoder may publish.
    fn publish(&self, request: &PublishRequest) -> impl Future<Output = PortResult<PublishAnswer>> + Send;
    /// Tells that a session has ended.
    fn unpublish(&self, request: &UnpublishRequest) -> impl Future<Output = PortResult<()>> + Send;
    /// A gateway's heartbeat.
    fn gateway_heartbeat(
        &self,
        heartbeat: &GatewayHeartbeat,
    ) -> impl Future<Output = PortResult<GatewayOrders>> + Send;
    /// A transcoder's heartbeat.
    fn transcoder_heartbeat(
        &self,
        heartbeat: &TranscoderHeartbeat,
    ) -> impl Future<Output = PortResult<TranscoderOrder>> + Send;
}
