//! Why a session ends from the inside.

use crate::amf::AmfError;
use crate::chunk::{AggregateError, ChunkError};
use crate::handshake::HandshakeError;

/// What the owner may want to do about an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// The peer does not speak RTMP: a port scan, a health check, a browser.
    NotRtmp,
    /// The peer broke the protocol.
    Malformed,
    /// The peer exceeded a limit.
    LimitExceeded,
    /// A legal wish that this server does not grant. The client has been told why.
    Refused,
}

/// A protocol violation or refusal. Never contains a stream key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SessionError {
    /// No handshake this server does.
    #[error(transparent)]
    Handshake(#[from] HandshakeError),
    /// The chunk stream is broken or too large.
    #[error("chunk stream: {0}")]
    Chunk(#[from] ChunkError),
    /// A command is not AMF.
    #[error("command: {0}")]
    Command(#[source] AmfError),
    /// A command without a name or transaction number.
    #[error("command has no name")]
    UnnamedCommand,
    /// A control message shorter than its fields.
    #[error("control message of type {0} is cut short")]
    ShortControl(u8),
    /// An aggregate whose parts do not fill it.
    #[error(transparent)]
    Aggregate(#[from] AggregateError),
    /// A command that is not allowed in this state.
    #[error("{command} is not allowed now")]
    OutOfOrder {
        /// Its name.
        command: &'static str,
    },
    /// More commands than any encoder sends before it publishes.
    #[error("more than {0} commands before publishing")]
    TooManyCommands(u32),
    /// More publish requests than any encoder makes on one connection.
    #[error("more than {0} publish requests on one connection")]
    TooManyPublishRequests(u32),
    /// More media than is held while a publish request waits.
    #[error("more than {0} bytes of media before publishing was allowed")]
    TooMuchPending(usize),
    /// A publisher whose messages are none that RTMP knows, and that has sent no media: FFmpeg sends whatever format it
    /// is told to over RTMP.
    #[error(
        "this encoder sends messages of unknown type {0} and neither audio nor video; \
         set its output format to FLV (ffmpeg: -f flv)"
    )]
    NotFlv(u8),
    /// Something legal that this server does not do.
    #[error("refused: {0}")]
    Refused(#[from] Refusal),
}

/// What was refused. The text goes to the person at the encoder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// `connect` to another application.
    #[error("unknown application, use rtmp://host/live")]
    UnknownApplication,
    /// `publish` without a stream key.
    #[error("no stream key, paste it into the encoder's stream key field")]
    NoStreamKey,
    /// `publish` with a name that cannot be a key.
    #[error("stream key is longer than {0} bytes or has characters no key has")]
    BadStreamKey(usize),
    /// Plain RTMP on the port for TLS.
    #[error("this port takes RTMP over TLS only, use the rtmps:// address")]
    WithoutTls,
    /// `play`.
    #[error("playing over RTMP is not offered, use the playback URL")]
    Play,
    /// Enhanced RTMP v2 multitrack.
    #[error("multitrack is not supported, send one video and one audio track")]
    Multitrack,
}

impl SessionError {
    /// What to make of it.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Handshake(HandshakeError::Rtmpe(_)) | Self::Refused(_) => ErrorKind::Refused,
            Self::Handshake(_) => ErrorKind::NotRtmp,
            Self::Chunk(
                ChunkError::MessageTooLong { .. }
                | ChunkError::TooMuchBuffered { .. }
                | ChunkError::TooManyChunkStreams,
            )
            | Self::Command(AmfError::Depth | AmfError::Values | AmfError::StringBytes)
            | Self::TooManyCommands(_)
            | Self::TooManyPublishRequests(_)
            | Self::TooMuchPending(_) => ErrorKind::LimitExceeded,
            Self::Chunk(_)
            | Self::Command(_)
            | Self::UnnamedCommand
            | Self::ShortControl(_)
            | Self::NotFlv(_)
            | Self::Aggregate(_)
            | Self::OutOfOrder { .. } => ErrorKind::Malformed,
        }
    }
}
