//! The audio track: packets are laid on the grid, as they are or decoded and encoded once, and handed out a part at a time.

pub(super) mod aac;
mod copy;
mod encode;
mod grid;
mod pcm;

use std::sync::mpsc::SyncSender;

use ff::codec;
use ffmpeg_next as ff;

use self::copy::CopiedAudio;
use self::encode::{EncodedAudio, PREROLL};
use super::error::MediaError;
use super::package::assemble::{Piece, SegmentPart};
use super::package::codecs::AAC_LC;
use super::package::mux::Muxer;
use super::settings::EngineSettings;
use super::stats::Counters;
use super::{AUDIO, AudioSpan, GridFrame, MediaTime, RenditionKind, RenditionSegment, SAMPLE_RATE};

/// Its place among the pieces of a part: behind all pictures.
const INDEX: usize = usize::MAX;
/// Bits per second of `styp`, `moof` and `trun` (one entry a frame), rounded up.
const CONTAINER_OVERHEAD: u32 = 4_000;

enum Maker {
    Encoded(Box<EncodedAudio>),
    Copied(Box<CopiedAudio>),
}

/// One run's audio.
pub(super) struct AudioTrack<'a> {
    maker: Maker,
    muxer: Muxer,
    /// Highest rate of any copied segment so far.
    peak: f64,
    counters: &'a Counters,
}

impl<'a> AudioTrack<'a> {
    /// The track that begins with the packet `first`, which is still to be pushed.
    pub(super) fn open(
        parameters: codec::Parameters,
        first: &ff::Packet,
        from: GridFrame,
        settings: &EngineSettings,
        counters: &'a Counters,
    ) -> Result<Self, MediaError> {
        let copied = if settings.passthrough.audio {
            CopiedAudio::open(parameters.clone(), first, from)?
        } else {
            None
        };
        let maker = match copied {
            Some(copied) => Maker::Copied(Box::new(copied)),
            None => Maker::Encoded(Box::new(EncodedAudio::open(parameters, from, settings.audio_bitrate)?)),
        };
        Ok(Self { maker, muxer: Muxer::new(AUDIO, ff::Rational(1, SAMPLE_RATE as i32)), peak: 0.0, counters })
    }

    /// First sound that has any use.
    pub(super) fn useful_from(from: GridFrame) -> MediaTime {
        // One more for the decoder's own overlap, and a few for jitter.
        from.back(PREROLL + 8).time()
    }

    /// The first frame that has not been made.
    pub(super) fn next(&self) -> GridFrame {
        match &self.maker {
            Maker::Encoded(encoded) => encoded.next(),
            Maker::Copied(copied) => copied.next(),
        }
    }

    /// Whether any sound was found.
    pub(super) fn heard(&self) -> bool {
        match &self.maker {
            Maker::Encoded(encoded) => encoded.heard(),
            Maker::Copied(copied) => copied.heard(),
        }
    }

    /// Takes a packet (drains at `None`); `place` turns its FLV milliseconds into T.
    pub(super) fn push(
        &mut self,
        packet: Option<&ff::Packet>,
        place: impl Fn(i64) -> MediaTime,
    ) -> Result<(), MediaError> {
        match (&mut self.maker, packet) {
            (Maker::Encoded(encoded), _) => encoded.push(packet, place, self.counters),
            (Maker::Copied(copied), Some(packet)) => {
                if let Some(millis) = packet.pts().or(packet.dts()) {
                    copied.push(packet, place(millis), self.counters);
                }
                Ok(())
            }
            (Maker::Copied(_), None) => Ok(()),
        }
    }

    /// Puts silence until every frame before `to` is made.
    pub(super) fn silence(&mut self, to: GridFrame) -> Result<(), MediaError> {
        match &mut self.maker {
            Maker::Encoded(encoded) => encoded.silence(to, self.counters),
            Maker::Copied(copied) => {
                copied.fill(to, self.counters);
                Ok(())
            }
        }
    }

    /// The end of the sound there is, in whole frames.
    pub(super) fn sounds_until(&self) -> GridFrame {
        match &self.maker {
            Maker::Encoded(encoded) => encoded.sounds_until(),
            Maker::Copied(copied) => copied.next(),
        }
    }

    /// Makes every frame before `to` come out, with silence where sound is missing; nothing can be added afterwards.
    pub(super) fn finish(&mut self, to: GridFrame) -> Result<(), MediaError> {
        match &mut self.maker {
            Maker::Encoded(encoded) => encoded.finish(to, self.counters),
            Maker::Copied(_) => self.silence(to),
        }
    }

    /// Muxes the frames of a span, all of which are made, and sends them off.
    pub(super) fn part(
        &mut self,
        place: SegmentPart,
        span: AudioSpan,
        sink: &SyncSender<Piece>,
    ) -> Result<bool, MediaError> {
        let (mut packets, channels) = match &mut self.maker {
            Maker::Encoded(encoded) => (encoded.take(span.to), encoded.channels()),
            Maker::Copied(copied) => (copied.take(span.to), copied.channels()),
        };
        let codec = match &self.maker {
            Maker::Encoded(encoded) => encoded.context(),
            Maker::Copied(copied) => Some(copied.context()),
        };
        let Some(codec) = codec else { return Ok(true) };
        if packets.is_empty() {
            return Err(MediaError::Fragment { rendition: AUDIO.to_owned(), what: "no frames" });
        }
        let fragment = self.muxer.fragment(codec, place, &mut packets, &self.counters.refused)?;
        let rate = fragment.data.len() as f64 * 8.0 / span.duration().as_secs_f64();
        self.peak = self.peak.max(rate);
        let (declared_bitrate, copied) = match &self.maker {
            // AAC's bit reservoir lets a second exceed the average a little.
            Maker::Encoded(encoded) => (encoded.bitrate() / 100 * 110 + CONTAINER_OVERHEAD, false),
            Maker::Copied(_) => ((self.peak * 1.1) as u32, true),
        };
        let segment = RenditionSegment {
            name: AUDIO.to_owned(),
            kind: RenditionKind::Audio { channels, sample_rate: SAMPLE_RATE },
            codecs: AAC_LC.to_owned(),
            init: fragment.init,
            data: fragment.data,
            declared_bitrate,
            copied,
        };
        Ok(sink.send(Piece::Rendition { place, index: INDEX, segment }).is_ok())
    }
}
