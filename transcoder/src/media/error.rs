//! Why a run can fail. An end that a caller plans for (clean, abrupt, tracks changed) is no error: see `RunEnd`.

use thiserror::Error;

/// What the caller can do about an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// The source will not become decodable by trying again.
    Source,
    /// Something on our side; trying again may help.
    Internal,
}

/// Failure of a run.
#[derive(Debug, Error)]
pub enum MediaError {
    /// The bytes are no FLV, or end before any media.
    #[error("the source holds no media")]
    NoMedia,
    /// Media arrives, but nothing of it can be decoded.
    #[error("the source cannot be decoded: {errors} packets failed")]
    Undecodable {
        /// Packets the decoders refused.
        errors: u64,
    },
    /// No decoder for a track's codec.
    #[error("no decoder for {track} codec {codec}")]
    UnsupportedCodec {
        /// `video` or `audio`.
        track: &'static str,
        /// libav's name of the codec.
        codec: String,
    },
    /// A picture outside of what is accepted.
    #[error("picture of {width}x{height} is outside of {min}..={max} a side")]
    PictureSize {
        /// Pixels across.
        width: u32,
        /// Lines.
        height: u32,
        /// Least accepted side.
        min: u32,
        /// Greatest accepted side.
        max: u32,
    },
    /// The ladder is empty.
    #[error("the ladder has no rungs")]
    NoRungs,
    /// Two muxers of one rendition disagree about its init segment.
    #[error("init segment of {rendition} changed within a run")]
    InitChanged {
        /// Name of the rendition.
        rendition: String,
    },
    /// The muxer's output is not what CMAF wants.
    #[error("malformed fragment of {rendition}: {what}")]
    Fragment {
        /// Name of the rendition.
        rendition: String,
        /// What is missing.
        what: &'static str,
    },
    /// A call into libav failed.
    #[error("{doing}: {source}")]
    Av {
        /// What was being done.
        doing: &'static str,
        /// libav's error.
        #[source]
        source: ffmpeg_next::Error,
    },
    /// A thread of the engine panicked.
    #[error("a media thread panicked: {thread}")]
    Panicked {
        /// The thread.
        thread: &'static str,
    },
    /// No thread could be started.
    #[error("cannot start a media thread")]
    Thread(#[source] std::io::Error),
}

impl MediaError {
    /// What the caller can do about it.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::NoMedia
            | Self::Undecodable { .. }
            | Self::UnsupportedCodec { .. }
            | Self::PictureSize { .. } => ErrorKind::Source,
            _ => ErrorKind::Internal,
        }
    }

    /// Whether the same encoder fails again until somebody changes its settings. Everything else may be better with the
    /// next connection, which begins with a key frame.
    #[must_use]
    pub fn is_lasting(&self) -> bool {
        matches!(self, Self::UnsupportedCodec { .. } | Self::PictureSize { .. })
    }

    pub(super) fn av(doing: &'static str) -> impl Fn(ffmpeg_next::Error) -> Self {
        move |source| Self::Av { doing, source }
    }
}
