//! What a client asked and was answered, in order: the only thing that is judged. Must not know how it was fetched.

mod address;
mod folder;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use url::Url;

pub use folder::RecordingError;

/// Part of a resource (RFC 8216bis §4.4.4.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ByteRange {
    /// Of its first byte.
    pub offset: u64,
    /// In bytes.
    pub length: u64,
}

/// Why something was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "for")]
pub enum Ask {
    /// The multivariant playlist.
    Multivariant,
    /// The media playlist as it is.
    Media {
        /// Its address without directives.
        #[serde(with = "address")]
        playlist: Url,
    },
    /// The media playlist as soon as it has a part (RFC 8216bis §6.2.5.2).
    Blocking {
        /// Its address without directives.
        #[serde(with = "address")]
        playlist: Url,
        /// `_HLS_msn`.
        msn: u64,
        /// `_HLS_part`.
        part: u64,
    },
    /// Only what is new in the media playlist (RFC 8216bis §6.2.5.1).
    Delta {
        /// Its address without directives.
        #[serde(with = "address")]
        playlist: Url,
    },
    /// A media playlist far in the future, which must be refused.
    FarAhead {
        /// Its address without directives.
        #[serde(with = "address")]
        playlist: Url,
    },
    /// `_HLS_part` without `_HLS_msn`, which must be refused.
    PartAlone {
        /// Its address without directives.
        #[serde(with = "address")]
        playlist: Url,
    },
    /// A part that a playlist only hints at (RFC 8216bis §4.4.5.3).
    Hint {
        /// The playlist that hints.
        #[serde(with = "address")]
        playlist: Url,
    },
    /// Initialization section, segment or part.
    Object,
}

/// One request and its answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Exchange {
    /// Why it was asked for.
    pub ask: Ask,
    /// What was asked for, directives included.
    pub url: Url,
    /// The part of it that was asked for.
    pub range: Option<ByteRange>,
    /// Milliseconds after the recording began at which it was asked.
    pub at_ms: u64,
    /// Milliseconds until the whole answer was there.
    pub took_ms: u64,
    /// Of the last answer, when there were redirects.
    pub status: u16,
    /// Names in lower case, `content-encoding` as it was sent.
    pub headers: Vec<(String, String)>,
    /// Where redirects led to, in order.
    pub redirects: Vec<String>,
    /// With the content encoding taken off.
    pub body: Bytes,
}

impl Exchange {
    /// The first header of a name, which is in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(one, _)| one == name).map(|(_, value)| value.as_str())
    }

    /// Whether it was answered with what was asked for.
    pub fn is_ok(&self) -> bool {
        self.status == if self.range.is_some() { 206 } else { 200 }
    }
}

/// Everything that a client saw of a stream.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Recording {
    /// Whether it is known to be a finished recording (VOD) from how its address was found.
    pub vod: bool,
    /// In the order in which they were asked.
    pub exchanges: Vec<Exchange>,
}
