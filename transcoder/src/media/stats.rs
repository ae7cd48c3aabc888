//! Counters of a run, shared by its threads.

use std::sync::atomic::{AtomicU64, Ordering};

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {
        /// What happened to the media of a run.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct Stats { $($(#[$doc])* pub $name: u64),+ }

        #[derive(Debug, Default)]
        pub(super) struct Counters { $(pub(super) $name: AtomicU64),+ }

        impl Counters {
            pub(super) fn snapshot(&self) -> Stats {
                Stats { $($name: self.$name.load(Ordering::Relaxed)),+ }
            }
        }
    };
}

counters! {
    /// Video packets read.
    video_packets,
    /// Audio packets read.
    audio_packets,
    /// Packets the demuxer gave up on.
    demux_errors,
    /// Pictures decoded.
    decoded,
    /// Decoded pictures before the start point, discarded as they should be.
    discarded,
    /// Pictures dropped because their time could not be used.
    dropped,
    /// Pictures shown at another time than they say, because that lies before their predecessor's or is damaged.
    retimed,
    /// Packets a muxer refused.
    refused,
    /// Pictures that were deinterlaced.
    deinterlaced,
    /// Pictures repeated across gaps.
    repeated,
    /// Video packets the decoder refused.
    video_errors,
    /// Audio packets the decoder refused.
    audio_errors,
    /// Pictures encoded, all renditions together.
    encoded,
    /// Audio frames encoded.
    audio_frames,
    /// Samples of silence put where the source had none.
    silence_samples,
    /// Samples dropped because another sound was already there.
    overlap_samples,
    /// Samples stretched in or out against clock drift.
    drift_samples,
    /// Segments handed out.
    segments,
}

pub(super) fn add(counter: &AtomicU64, n: u64) {
    counter.fetch_add(n, Ordering::Relaxed);
}
