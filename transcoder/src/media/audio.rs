//! The audio track: packets are decoded, laid on the grid, encoded once, and handed out a segment at a time.

use std::sync::mpsc::SyncSender;

use ff::codec;
use ffmpeg_next as ff;

use super::aac::Aac;
use super::assemble::Piece;
use super::codecs::AAC_LC;
use super::decode::AudioDecoder;
use super::error::MediaError;
use super::grid::Grid;
use super::mux::Muxer;
use super::pcm::Resampler;
use super::segment::{RenditionKind, RenditionSegment};
use super::stats::{Counters, add};
use super::time::{AudioSpan, FRAME_SAMPLES, GridFrame, MediaTime, SAMPLE_RATE};

/// Name of the audio rendition.
pub(super) const NAME: &str = "audio";
/// Frames encoded and dropped before the first one handed out: the encoder's window and psychoacoustic state.
const PREROLL: u64 = 3;
/// Bits per second of `styp`, `moof` and `trun` (one entry a frame), rounded up.
const CONTAINER_OVERHEAD: u32 = 4_000;

/// The parts that exist once the source's channels are known.
struct Out {
    resampler: Resampler,
    grid: Grid,
    aac: Aac,
}

/// One run's audio.
pub(super) struct AudioTrack<'a> {
    decoder: AudioDecoder,
    out: Option<Out>,
    muxer: Muxer,
    from: GridFrame,
    bitrate: u32,
    counters: &'a Counters,
}

impl<'a> AudioTrack<'a> {
    pub(super) fn open(
        parameters: codec::Parameters,
        from: GridFrame,
        bitrate: u32,
        counters: &'a Counters,
    ) -> Result<Self, MediaError> {
        let muxer = Muxer::new(NAME, ff::Rational(1, SAMPLE_RATE as i32));
        let decoder = AudioDecoder::open(parameters)?;
        Ok(Self { decoder, out: None, muxer, from, bitrate, counters })
    }

    /// First sound that has any use.
    pub(super) fn useful_from(from: GridFrame) -> MediaTime {
        // One more for the decoder's own overlap, and a few for jitter.
        from.back(PREROLL + 8).time()
    }

    /// The first frame that has not been encoded.
    pub(super) fn next(&self) -> GridFrame {
        self.out.as_ref().map_or(self.from, |out| out.aac.next())
    }

    /// Whether any sound was decoded.
    pub(super) fn heard(&self) -> bool {
        self.out.is_some()
    }

    /// Decodes a packet (drains at `None`); `place` turns its FLV milliseconds into T.
    pub(super) fn push(
        &mut self,
        packet: Option<&ff::Packet>,
        place: impl Fn(i64) -> MediaTime,
    ) -> Result<(), MediaError> {
        let mut sounds = Vec::new();
        let errors = self.decoder.decode(packet, &mut sounds);
        add(&self.counters.audio_errors, errors);
        for mut sound in sounds {
            let at = sound.pts().map(|millis| place(millis).sample());
            let channels = Resampler::channels_for(&sound);
            let out = Self::ensure(&mut self.out, channels, self.from, self.bitrate)?;
            let Ok((resampled, delay)) = out.resampler.run(&mut sound) else {
                add(&self.counters.audio_errors, 1);
                continue;
            };
            if resampled.samples() == 0 {
                continue;
            }
            let planes: Vec<&[f32]> = (0..resampled.planes()).map(|i| resampled.plane::<f32>(i)).collect();
            let aac = &mut out.aac;
            let counters = self.counters;
            let placed =
                out.grid.push(at.map(|at| at - delay), &planes, |grid| encode(grid, aac, counters))?;
            add(&counters.silence_samples, placed.silence);
            add(&counters.overlap_samples, placed.overlap);
            add(&counters.drift_samples, placed.drift);
        }
        Ok(())
    }

    /// Puts silence until every frame before `to` is encoded.
    pub(super) fn silence(&mut self, to: GridFrame) -> Result<(), MediaError> {
        let out = Self::ensure(&mut self.out, 2, self.from, self.bitrate)?;
        while out.aac.next() < to {
            let upto = out.grid.filled() + FRAME_SAMPLES as i64;
            add(&self.counters.silence_samples, out.grid.fill(upto));
            encode(&mut out.grid, &mut out.aac, self.counters)?;
        }
        Ok(())
    }

    /// The end of the sound there is, in whole frames.
    pub(super) fn sounds_until(&self) -> GridFrame {
        let filled = self.out.as_ref().map_or(0, |out| out.grid.filled().max(0) as u64);
        GridFrame::new(filled / FRAME_SAMPLES as u64)
    }

    /// Makes every frame before `to` come out, with silence where sound is missing; nothing can be added afterwards.
    pub(super) fn finish(&mut self, to: GridFrame) -> Result<(), MediaError> {
        let out = Self::ensure(&mut self.out, 2, self.from, self.bitrate)?;
        while out.grid.filled() < to.sample() as i64 {
            add(&self.counters.silence_samples, out.grid.fill(to.sample() as i64));
            encode(&mut out.grid, &mut out.aac, self.counters)?;
        }
        out.aac.finish()
    }

    /// Muxes the frames of a span, all of which are encoded, and sends them off.
    pub(super) fn segment(
        &mut self,
        number: u64,
        span: AudioSpan,
        index: usize,
        sink: &SyncSender<Piece>,
    ) -> Result<bool, MediaError> {
        let Some(out) = &mut self.out else { return Ok(true) };
        let mut packets = out.aac.take(span.to);
        if packets.is_empty() {
            return Err(MediaError::Fragment { rendition: NAME.to_owned(), what: "no frames" });
        }
        let fragment = self.muxer.fragment(out.aac.context(), number, &mut packets)?;
        let segment = RenditionSegment {
            name: NAME.to_owned(),
            kind: RenditionKind::Audio { channels: out.aac.channels(), sample_rate: SAMPLE_RATE },
            codecs: AAC_LC.to_owned(),
            init: fragment.init,
            data: fragment.data,
            // AAC's bit reservoir lets a second exceed the average a little.
            declared_bitrate: out.aac.bitrate() / 100 * 110 + CONTAINER_OVERHEAD,
        };
        Ok(sink.send(Piece::Rendition { number, index, segment }).is_ok())
    }

    fn ensure(
        slot: &mut Option<Out>,
        channels: u16,
        from: GridFrame,
        bitrate: u32,
    ) -> Result<&mut Out, MediaError> {
        Ok(match slot {
            Some(out) => out,
            none => none.insert(Out {
                resampler: Resampler::new(channels),
                grid: Grid::new(from.back(PREROLL), usize::from(channels)),
                aac: Aac::open(channels, bitrate, from)?,
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
