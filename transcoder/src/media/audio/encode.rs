//! Sound that has to be made anew: decoded, resampled, laid on the grid and encoded once.

use ff::codec;
use ffmpeg_next as ff;

use super::aac::Aac;
use super::grid::Grid;
use super::pcm::Resampler;
use crate::media::decode::AudioDecoder;
use crate::media::error::MediaError;
use crate::media::stats::{Counters, add};
use crate::media::{FRAME_SAMPLES, GridFrame, MediaTime};

/// Frames encoded and dropped before the first one handed out: the encoder's window and psychoacoustic state.
pub(super) const PREROLL: u64 = 3;
/// Samples (2 ms) that a frame may lack and count as whole: a splice after a resume.
const SPLICE: u64 = 96;

/// Sound that is decoded, resampled and encoded.
pub(super) struct EncodedAudio {
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

impl EncodedAudio {
    pub(crate) fn open(
        parameters: codec::Parameters,
        from: GridFrame,
        bitrate: u32,
    ) -> Result<Self, MediaError> {
        Ok(Self { decoder: AudioDecoder::open(parameters)?, out: None, from, bitrate })
    }

    /// For the muxer, once any sound was made.
    pub(crate) fn context(&self) -> Option<&codec::Context> {
        self.out.as_ref().map(|out| out.aac.context())
    }

    pub(crate) fn channels(&self) -> u16 {
        self.out.as_ref().map_or(2, |out| out.aac.channels())
    }

    pub(crate) fn bitrate(&self) -> u32 {
        self.out.as_ref().map_or(self.bitrate, |out| out.aac.bitrate())
    }

    /// The first frame that has not been made.
    pub(crate) fn next(&self) -> GridFrame {
        self.out.as_ref().map_or(self.from, |out| out.aac.next())
    }

    pub(crate) fn heard(&self) -> bool {
        self.out.is_some()
    }

    /// The end of the sound there is, in whole frames.
    pub(crate) fn sounds_until(&self) -> GridFrame {
        let filled = self.out.as_ref().map_or(0, |out| out.grid.filled().max(0) as u64);
        GridFrame::new((filled + SPLICE) / FRAME_SAMPLES as u64)
    }

    /// Packets of the frames before `to`.
    pub(crate) fn take(&mut self, to: GridFrame) -> Vec<ff::Packet> {
        self.out.as_mut().map_or_else(Vec::new, |out| out.aac.take(to))
    }

    /// Decodes a packet (drains at `None`), and encodes what comes of it.
    pub(crate) fn push(
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

    pub(crate) fn silence(&mut self, to: GridFrame, counters: &Counters) -> Result<(), MediaError> {
        let out = self.ensure(2)?;
        while out.aac.next() < to {
            let upto = out.grid.filled() + FRAME_SAMPLES as i64;
            add(&counters.silence_samples, out.grid.fill(upto));
            encode(&mut out.grid, &mut out.aac, counters)?;
        }
        Ok(())
    }

    pub(crate) fn finish(&mut self, to: GridFrame, counters: &Counters) -> Result<(), MediaError> {
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
