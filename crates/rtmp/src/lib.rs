//! RTMP server protocol for ingest, sans-IO, and FLV tags.
//!
//! Bytes go in, bytes and [`Event`]s come out. The crate knows no socket, no clock, no runtime and no setting: the
//! caller reads and writes, measures time by [`ServerSession::phase`], and decides whether a publisher may publish.
//!
//! ```
//! use headwater_rtmp::{Event, ServerSession, SessionConfig};
//!
//! let mut session = ServerSession::new(SessionConfig::new([7; 1528]));
//! session.receive(&[3]).expect("C0 of plain RTMP");
//! while let Some(bytes) = session.poll_output() {
//!     let _to_the_socket = bytes;
//! }
//! while let Some(event) = session.poll_event() {
//!     if let Event::PublishRequested(request) = event {
//!         session.accept_publish(request.id);
//!     }
//! }
//! ```
//!
//! Layers, each its own module that knows only those before it: [`amf`] (values), [`handshake`], [`chunk`] (chunk
//! stream to messages), [`message`] (message types), [`session`] (commands and state). Beside them stand [`codec`]
//! (what is in an audio or video message), [`normalize`] (one form for all that encoders send), [`flv`] (FLV files and tags
//! from messages) and [`publisher`] (what an encoder
//! says, for tests).
//!
//! Specifications: Adobe RTMP 1.0 (cited as "RTMP §"), AMF0, AMF3, Adobe FLV 10.1, Enhanced RTMP v2 ("E-RTMP").

pub mod amf;
pub mod chunk;
pub mod codec;
pub mod flv;
pub mod handshake;
pub mod message;
pub mod normalize;
pub mod publisher;
pub mod session;

pub use message::MediaKind;
pub use session::{
    Capabilities, ConnectInfo, DataMessage, ErrorKind, Event, Ignored, MediaMessage, Metadata, Phase,
    PublishId, PublishMode, PublishRequest, ReconnectSignal, Refusal, RejectCode, ServerSession,
    SessionConfig, SessionError, SessionLimits, Stats, StreamKeyText, UnpublishReason,
};
