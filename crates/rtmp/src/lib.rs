//! RTMP server protocol for ingest, sans-IO, and FLV tags.
//!
//! Bytes go in, bytes and [`Event`]s come out. The crate knows no socket, no clock, no runtime and no setting: the
//! caller reads and writes, measures time by [`ServerSession::phase`], and decides whether a publisher may publish.
//!
//! ```
//! use bytes::Bytes;
//! use headwater_rtmp::publisher::{self, Publisher, SERVER_HELLO_LEN};
//! use headwater_rtmp::{Event, MediaKind, ServerSession, SessionConfig};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // The server's side takes bytes in any pieces. Random bytes for the handshake are handed in.
//! let mut session = ServerSession::new(SessionConfig::new([7; 1528]));
//!
//! // The other side here is this crate's own publisher; outside of tests its bytes come from a socket.
//! session.receive(&publisher::hello())?;
//! let hello: [u8; SERVER_HELLO_LEN] = session.poll_output().ok_or("no answer")?[..].try_into()?;
//! session.receive(publisher::answer(&hello))?;
//! let encoder = Publisher::default();
//! session.receive(&encoder.ask("rtmp://example.com/live", "the-stream-key", Vec::new()))?;
//!
//! // Whether it may publish is the caller's decision. It may take its time; meanwhile nothing is lost.
//! while let Some(event) = session.poll_event() {
//!     if let Event::PublishRequested(request) = event {
//!         assert_eq!(request.key.reveal(), "the-stream-key");
//!         session.accept_publish(request.id);
//!     }
//! }
//! while let Some(bytes) = session.poll_output() {
//!     let _to_the_socket = bytes;
//! }
//!
//! session.receive(&encoder.media(MediaKind::Audio, 40, Bytes::from_static(&[0xAF, 1, 0x21])))?;
//! let Some(Event::Media(message)) = session.poll_event() else { return Err("no media".into()) };
//! assert_eq!((message.kind, message.timestamp), (MediaKind::Audio, 40));
//! # Ok(())
//! # }
//! ```
//!
//! Layers, each its own module that knows only those before it: [`amf`] (values), [`handshake`], [`chunk`] (chunk
//! stream to messages), [`message`] (message types), [`session`] (commands and state). Beside them stand [`codec`]
//! (what is in an audio or video message), [`normalize`] (one form for all that encoders send), [`flv`] (FLV files and tags
//! from messages) and [`publisher`] (what an encoder says, for tests).
//!
//! Specifications: Adobe RTMP 1.0 (cited as "RTMP §"), AMF0, AMF3, Adobe FLV 10.1, Enhanced RTMP v2 ("E-RTMP").

#![warn(missing_docs, reason = "strangers read the libraries' rustdoc; programs are read in their source")]

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
