//! What a session tells its owner.

use std::fmt;

use bytes::Bytes;

use super::caps::Capabilities;
use super::key::StreamKeyText;
use crate::amf::{AmfError, Properties};
use crate::chunk::AggregateError;
use crate::message::MediaKind;

/// Something that happened, in the order it was received.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// The client connected to the application.
    Connected(ConnectInfo),
    /// The client asks to publish and waits for
    /// [`accept_publish`](super::ServerSession::accept_publish) or
    /// [`reject_publish`](super::ServerSession::reject_publish).
    PublishRequested(PublishRequest),
    /// Audio or video of the accepted publication.
    Media(MediaMessage),
    /// `onMetaData` of the accepted publication.
    Metadata(Metadata),
    /// Another data message of the accepted publication, such as `onTextData`.
    Data(DataMessage),
    /// The client ended the publication, or took its request back, and stays connected.
    Unpublished {
        /// Which publication.
        id: PublishId,
        /// How it said so.
        reason: UnpublishReason,
    },
    /// Something unknown was skipped; for logs.
    Ignored(Ignored),
}

/// What the connect command said. `Debug` leaves out paths and queries: stream keys stand there.
#[derive(Clone, PartialEq)]
pub struct ConnectInfo {
    /// Application, with query if the client put one there. May hold a part of the stream key.
    pub app: String,
    /// Server URL. May hold a part of the stream key.
    pub tc_url: String,
    /// What the encoder calls itself.
    pub flash_ver: String,
    /// What it can do beyond plain RTMP.
    pub capabilities: Capabilities,
}

impl fmt::Debug for ConnectInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectInfo")
            .field("flash_ver", &self.flash_ver)
            .field("capabilities", &self.capabilities)
            .finish_non_exhaustive()
    }
}

/// Names one publish request of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PublishId(pub(super) u32);

/// What the client wants done with its stream. All are treated as live.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PublishMode {
    /// `live`, or nothing.
    Live,
    /// `record`.
    Record,
    /// `append`.
    Append,
    /// Something no specification names.
    Other,
}

/// A publish command. `Debug` shows neither key nor parameter values.
#[derive(Clone, PartialEq, Eq)]
pub struct PublishRequest {
    /// To answer it by.
    pub id: PublishId,
    /// Application as sent in connect, without key part and query: always `live`.
    pub app: &'static str,
    /// Path behind the application.
    pub key: StreamKeyText,
    /// Query parameters from publish name, application and URL, in this order of precedence, each name once.
    pub query: Vec<(String, String)>,
    /// What the client wants done.
    pub mode: PublishMode,
}

impl fmt::Debug for PublishRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.query.iter().map(|(name, _)| name.as_str()).collect();
        f.debug_struct("PublishRequest")
            .field("id", &self.id)
            .field("key", &self.key)
            .field("query_names", &names)
            .field("mode", &self.mode)
            .finish_non_exhaustive()
    }
}

/// An audio or video message.
#[derive(Clone, PartialEq, Eq)]
pub struct MediaMessage {
    /// Audio or video.
    pub kind: MediaKind,
    /// Milliseconds as sent: may repeat, jump and wrap at 2³².
    pub timestamp: u32,
    /// FLV tag body as sent, never empty.
    pub payload: Bytes,
}

impl fmt::Debug for MediaMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}({} ms, {} bytes)", self.kind, self.timestamp, self.payload.len())
    }
}

/// Stream metadata.
#[derive(Debug, Clone, PartialEq)]
pub struct Metadata {
    /// Milliseconds as sent.
    pub timestamp: u32,
    /// The body of an FLV script tag: starts with `onMetaData`, without the `@setDataFrame` before it.
    pub payload: Bytes,
    /// The decoded values.
    pub values: Properties,
}

/// Another script message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataMessage {
    /// Its name, e.g. `onTextData`.
    pub name: String,
    /// Milliseconds as sent.
    pub timestamp: u32,
    /// The body of an FLV script tag.
    pub payload: Bytes,
}

/// How a client ended its publication.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum UnpublishReason {
    /// `FCUnpublish`.
    FcUnpublish,
    /// `deleteStream`.
    DeleteStream,
    /// `closeStream`, or `publish` with `false` for a name.
    CloseStream,
}

/// What was skipped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ignored {
    /// A command nobody knows; the client was answered `_error` if it asked for an answer.
    Command {
        /// Its name, at most 64 bytes of it.
        name: String,
    },
    /// A message type nobody knows.
    MessageType(u8),
    /// A data message that is not AMF.
    Data(AmfError),
    /// A command of a publisher that makes no sense, or comes twice.
    BrokenCommand,
    /// A control message of a publisher that is shorter than its fields.
    ShortControl(u8),
    /// The rest of an aggregate whose parts do not fill it.
    Aggregate(AggregateError),
}

/// Why a publication is refused or ended, as the client is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RejectCode {
    /// `NetStream.Publish.BadName`: the key is wrong, or in use.
    BadName,
    /// `NetStream.Publish.Denied`: the key may not publish (now). OBS gives up at once on this one.
    Denied,
    /// `NetStream.Publish.Rejected`: what is sent cannot be taken.
    Rejected,
    /// `NetStream.Failed`: the server's own trouble.
    Failed,
    /// `NetConnection.Connect.Closed`: the connection ends.
    Closed,
}

impl RejectCode {
    /// The status code on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::BadName => "NetStream.Publish.BadName",
            Self::Denied => "NetStream.Publish.Denied",
            Self::Rejected => "NetStream.Publish.Rejected",
            Self::Failed => "NetStream.Failed",
            Self::Closed => "NetConnection.Connect.Closed",
        }
    }
}
