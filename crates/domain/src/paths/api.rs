//! The REST API's resources. Must not know what can be done with them.

use std::fmt;
use std::str::FromStr;

use super::{UnknownPath, read};
use crate::ids::{KeyId, StreamId};

/// A resource of the REST API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ApiPath {
    /// Whether the region's API answers.
    Health,
    /// What the API can do.
    OpenApi,
    /// All streams.
    Streams,
    /// A stream.
    Stream(StreamId),
    /// Its keys.
    Keys(StreamId),
    /// One of them.
    Key(StreamId, KeyId),
    /// Ends what is live of it.
    Stop(StreamId),
    /// Has another task go on with it.
    Move(StreamId),
    /// Its history.
    Broadcasts(StreamId),
}

impl ApiPath {
    /// The path with its variables, as openapi.json has it.
    pub const fn template(&self) -> &'static str {
        match self {
            Self::Health => "/health",
            Self::OpenApi => "/v1/openapi.json",
            Self::Streams => "/v1/streams",
            Self::Stream(_) => "/v1/streams/{stream}",
            Self::Keys(_) => "/v1/streams/{stream}/keys",
            Self::Key(..) => "/v1/streams/{stream}/keys/{key}",
            Self::Stop(_) => "/v1/streams/{stream}/stop",
            Self::Move(_) => "/v1/streams/{stream}/move",
            Self::Broadcasts(_) => "/v1/streams/{stream}/broadcasts",
        }
    }

    /// Each resource once, of this stream and key.
    pub fn all(stream: &StreamId, key: &KeyId) -> [Self; 9] {
        let of = || stream.clone();
        [
            Self::Health,
            Self::OpenApi,
            Self::Streams,
            Self::Stream(of()),
            Self::Keys(of()),
            Self::Key(of(), key.clone()),
            Self::Stop(of()),
            Self::Move(of()),
            Self::Broadcasts(of()),
        ]
    }
}

impl fmt::Display for ApiPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let template = self.template();
        match self {
            Self::Health | Self::OpenApi | Self::Streams => f.write_str(template),
            Self::Stream(stream)
            | Self::Keys(stream)
            | Self::Stop(stream)
            | Self::Move(stream)
            | Self::Broadcasts(stream) => f.write_str(&template.replace("{stream}", stream.as_str())),
            Self::Key(stream, key) => {
                f.write_str(&template.replace("{stream}", stream.as_str()).replace("{key}", key.as_str()))
            }
        }
    }
}

impl FromStr for ApiPath {
    type Err = UnknownPath;

    fn from_str(text: &str) -> Result<Self, UnknownPath> {
        let none = UnknownPath::no("resource");
        let parts: Vec<&str> = text.strip_prefix('/').ok_or(none)?.split('/').collect();
        if parts.contains(&"") {
            return Err(none);
        }
        match parts.as_slice() {
            ["health"] => Ok(Self::Health),
            ["v1", "openapi.json"] => Ok(Self::OpenApi),
            ["v1", "streams"] => Ok(Self::Streams),
            ["v1", "streams", stream] => Ok(Self::Stream(read(stream, "stream")?)),
            ["v1", "streams", stream, "keys"] => Ok(Self::Keys(read(stream, "stream")?)),
            ["v1", "streams", stream, "keys", key] => {
                Ok(Self::Key(read(stream, "stream")?, read(key, "stream key")?))
            }
            ["v1", "streams", stream, "stop"] => Ok(Self::Stop(read(stream, "stream")?)),
            ["v1", "streams", stream, "move"] => Ok(Self::Move(read(stream, "stream")?)),
            ["v1", "streams", stream, "broadcasts"] => Ok(Self::Broadcasts(read(stream, "stream")?)),
            _ => Err(none),
        }
    }
}
