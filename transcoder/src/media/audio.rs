//! The audio track: packets are laid on the grid, as they are or decoded and encoded once, and handed out a part at a time.

use std::sync::mpsc::SyncSender;

use ff::codec;
use ffmpeg_next as ff;

use super::aac::Aac;
use super::assemble::{Piece, Place};
use super::audio_copy::CopiedAudio;
use super::codecs::AAC_LC;
use super::decode::AudioDecoder;
use super::error::MediaError;
use super::grid::Grid;
use super::mux::Muxer;
use super::pcm::Resampler;
use super::segment::{RenditionKind, RenditionSegment};
use super::settings::EngineSettings;
use super::stats::{Counters, add};
use super::time::{AudioSpan, FRAME_SAMPLES, GridFrame, MediaTime, SAMPLE_RATE};

/// Name of the audio rendition.
pub const NAME: &str = "audio";
/// Its place among the pieces of a part: behind all pictures.
const INDEX: usize = usize::MAX;
/// Frames encoded and dropped before the first one handed out: the encoder's window and psychoacoustic state.
const PREROLL: u64 = 3;
/// Samples (2 ms) that a frame may lack and count as whole: a splice after a resume.
const SPLICE: u64 = 96;
/// Bits per second of `styp`, `moof` and `trun` (one entry a frame), rounded up.
const CONTAINER_OVERHEAD: u32 = 4_000;

/// Sound that is decoded, resampled and encoded.
struct Encoded {
    decoder: AudioDecoder,
    out: Option<Out>,
    from: GridFrame,
    bitrate: u32,
}

/// The parts that exist once the source's channels are known.
struct Out {
    resampler: Resampler,
    grid: Grid,
    aac: Aac,
}

enum Maker {
    Encoded(Box<Encoded>),
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
    pub(super) fn open(
        parameters: codec::Parameters,
        from: GridFrame,
        settings: &EngineSettings,
        counters: &'a Counters,
    ) -> Result<Self, MediaError> {
        let copied =
            if settings.passthrough.audio { CopiedAudio::open(parameters.clone(), from)? } else { None };
        let maker = match copied {
            Some(copied) => Maker::Copied(Box::new(copied)),
            None => Maker::Encoded(Box::new(Encoded {
                decoder: AudioDecoder::open(parameters)?,
                out: None,
                from,
                bitrate: settings.audio_bitrate,
            })),
        };
        Ok(Self { maker, muxer: Muxer::new(NAME, ff::Rational(1, SAMPLE_RATE as i32)), peak: 0.0, counters })
    }

    /// First sound that has any use.
    pub(super) fn useful_from(from: GridFrame) -> MediaTime {
        // One more for the decoder's own overlap, and a few for jitter.
        from.back(PREROLL + 8).time()
    }

    /// The first frame that has not been made.
    pub(super) fn next(&self) -> GridFrame {
        match &self.maker {
            Maker::Encoded(encoded) => encoded.out.as_ref().map_or(encoded.from, |out| out.aac.next()),
            Maker::Copied(copied) => copied.next(),
        }
    }

    /// Whether any sound was found.
    pub(super) fn heard(&self) -> bool {
        match &self.maker {
            Maker::Encoded(encoded) => encoded.out.is_some(),
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
            Maker::Encoded(encoded) => {
                let filled = encoded.out.as_ref().map_or(0, |out| out.grid.filled().max(0) as u64);
                GridFrame::new((filled + SPLICE) / FRAME_SAMPLES as u64)
            }
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
        place: Place,
        span: AudioSpan,
        sink: &SyncSender<Piece>,
    ) -> Result<bool, MediaError> {
        let (mut packets, channels) = match &mut self.maker {
            Maker::Encoded(encoded) => match &mut encoded.out {
                Some(out) => (out.aac.take(span.to), out.aac.channels()),
                None => return Ok(true),
            },
            Maker::Copied(copied) => (copied.take(span.to), copied.channels()),
        };
        if packets.is_empty() {
            return Err(MediaError::Fragment { rendition: NAME.to_owned(), what: "no frames" });
        }
        let fragment = match &self.maker {
            Maker::Encoded(encoded) => match &encoded.out {
                Some(out) => self.muxer.fragment(out.aac.context(), place, &mut packets)?,
                None => return Ok(true),
            },
            Maker::Copied(copied) => self.muxer.fragment(copied.context(), place, &mut packets)?,
        };
        let rate = fragment.data.len() as f64 * 8.0 / span.duration().as_secs_f64();
        self.peak = self.peak.max(rate);
        let (declared_bitrate, copied) = match &self.maker {
            // AAC's bit reservoir lets a second exceed the average a little.
            Maker::Encoded(encoded) => {
                let bitrate = encoded.out.as_ref().map_or(encoded.bitrate, |out| out.aac.bitrate());
                (bitrate / 100 * 110 + CONTAINER_OVERHEAD, false)
            }
            Maker::Copied(_) => ((self.peak * 1.1) as u32, true),
        };
        let segment = RenditionSegment {
            name: NAME.to_owned(),
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

impl Encoded {
    fn push(
        &mut self,
        packet: Option<&ff::Packet>,
        place: impl Fn(i64) -> MediaTime,
        counters: &Counters,
    ) -> Result<(), MediaError> {
        let mut sounds = Vec::new();
        let errors = self.decoder.decode(packet, &mut sounds);
        add(&counters.audio_errors, errors);
        for mut sound in sounds {
            let at = sound.pts().map(|millis| place(millis).sample());
            let channels = Resampler::channels_for(&sound);
            let out = self.ensure(channels)?;
            let Ok((resampled, delay)) = out.resampler.run(&mut sound) else {
                add(&counters.audio_errors, 1);
                continue;
            };
            if resampled.samples() == 0 {
                continue;
            }
            let planes: Vec<&[f32]> = (0..resampled.planes()).map(|i| resampled.plane::<f32>(i)).collect();
            let aac = &mut out.aac;
            let placed =
                out.grid.push(at.map(|at| at - delay), &planes, |grid| encode(grid, aac, counters))?;
            add(&counters.silence_samples, placed.silence);
            add(&counters.overlap_samples, placed.overlap);
            add(&counters.drift_samples, placed.drift);
        }
        Ok(())
    }

    fn silence(&mut self, to: GridFrame, counters: &Counters) -> Result<(), MediaError> {
        let out = self.ensure(2)?;
        while out.aac.next() < to {
            let upto = out.grid.filled() + FRAME_SAMPLES as i64;
            add(&counters.silence_samples, out.grid.fill(upto));
            encode(&mut out.grid, &mut out.aac, counters)?;
        }
        Ok(())
    }

    fn finish(&mut self, to: GridFrame, counters: &Counters) -> Result<(), MediaError> {
        let out = self.ensure(2)?;
        while out.grid.filled() < to.sample() as i64 {
            add(&counters.silence_samples, out.grid.fill(to.sample() as i64));
            encode(&mut out.grid, &mut out.aac, counters)?;
        }
        out.aac.finish()
    }

    fn ensure(&mut self, channels: u16) -> Result<&mut Out, MediaError> {
        Ok(match &mut self.out {
            Some(out) => out,
            none => none.insert(Out {
                resampler: Resampler::new(channels),
                grid: Grid::new(self.from.back(PREROLL), usize::from(channels)),
                aac: Aac::open(channels, self.bitrate, self.from)?,
            }),
        })
    }
}

fn encode(grid: &mut Grid, aac: &mut Aac, counters: &Counters) -> Result<(), MediaError> {
    while let Some((at, planes)) = grid.take() {
        aac.encode(at, &planes)?;
        add(&counters.audio_frames, 1);
    }
    Ok(())
}
