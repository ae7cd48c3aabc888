//! A reader of initialization sections and CMAF segments (ISO/IEC 14496-12, 23000-19). It allocates no more than a small
//! multiple of what it is given, whatever sizes that claims. Must not know playlists.

mod boxes;
mod fragment;
mod init;
mod sample_entry;

pub(crate) use fragment::{Fragment, Media, Sample};
pub(crate) use init::{Handler, Init, Track};
pub(crate) use sample_entry::Codec;

/// Why bytes are not what they should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Mp4Error {
    #[error("{0} ends too early")]
    Truncated(&'static str),
    #[error("a box at byte {at} claims {size} bytes")]
    Size { at: usize, size: u64 },
    #[error("there is no {0}")]
    Missing(&'static str),
    #[error("{0}")]
    Invalid(String),
}

pub(crate) type Result<T> = std::result::Result<T, Mp4Error>;

#[cfg(test)]
mod tests;
