//! The server's side of one RTMP connection: commands, the state they lead to, and what the owner gets to see.
//!
//! [`ServerSession`] is the whole interface. It must not know time, sockets, or who may publish: it asks its owner
//! with [`Event::PublishRequested`] and goes on reading meanwhile.

mod acks;
mod caps;
mod command;
mod config;
mod control;
mod data;
mod error;
mod event;
mod key;
mod output;
mod publish;
mod query;
mod server;
mod state;
mod target;

pub use caps::{Capabilities, ReconnectSignal};
pub use config::{SessionConfig, SessionLimits};
pub use error::{ErrorKind, Refusal, SessionError};
pub use event::{
    ConnectInfo, DataMessage, Event, Ignored, MediaMessage, Metadata, PublishId, PublishMode, PublishRequest,
    RejectCode, UnpublishReason,
};
pub use key::StreamKeyText;
pub use server::{ServerSession, Stats};
pub use state::Phase;
