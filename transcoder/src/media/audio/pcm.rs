//! Decoded sound of any format to planar f32 at 48 kHz, mono or stereo.

use ff::format::Sample;
use ff::format::sample::Type::Planar;
use ff::software::resampling;
use ff::{ChannelLayout, frame};
use ffmpeg_next as ff;

use crate::media::SAMPLE_RATE;
use crate::media::error::MediaError;

/// Channels of a source beyond which it is taken as nonsense.
const MAX_CHANNELS: u16 = 16;
/// Sample rates accepted, Hz: what AAC knows.
const RATES: std::ops::RangeInclusive<u32> = 7_350..=96_000;

/// Resampler to the run's fixed output; follows a source that changes its input.
pub(super) struct Resampler {
    context: Option<resampling::Context>,
    channels: u16,
}

impl Resampler {
    pub(crate) fn new(channels: u16) -> Self {
        Self { context: None, channels }
    }

    /// How many channels to produce for a source: mono stays mono, all else becomes stereo.
    pub(super) fn channels_for(sound: &frame::Audio) -> u16 {
        if sound.channels() == 1 { 1 } else { 2 }
    }

    /// Resamples; also returns how many output samples lie between the first of them and the start of `sound`.
    pub(crate) fn run(&mut self, sound: &mut frame::Audio) -> Result<(frame::Audio, i64), MediaError> {
        let failed = MediaError::av("cannot resample");
        if !(1..=MAX_CHANNELS).contains(&sound.channels()) || !RATES.contains(&sound.rate()) {
            return Err(failed(ff::Error::InvalidData));
        }
        let mut layout = sound.channel_layout();
        if layout.channels() != i32::from(sound.channels()) {
            layout = ChannelLayout::default(i32::from(sound.channels()));
            sound.set_channel_layout(layout);
        }
        let input = resampling::context::Definition {
            format: sound.format(),
            channel_layout: layout,
            rate: sound.rate(),
        };
        let same = self.context.as_ref().is_some_and(|c| *c.input() == input);
        let output = layout_of(self.channels);
        let context = match &mut self.context {
            Some(context) if same => context,
            slot => slot.insert(
                resampling::Context::get(
                    input.format,
                    layout,
                    input.rate,
                    Sample::F32(Planar),
                    output,
                    SAMPLE_RATE,
                )
                .map_err(&failed)?,
            ),
        };
        let delay = context.delay().map_or(0, |d| d.output);
        // Room for everything: `run` would size the output like the input and let the rest pile up inside.
        let room = sound.samples() as u64 * u64::from(SAMPLE_RATE) / u64::from(sound.rate()) + 256;
        let mut resampled =
            frame::Audio::new(Sample::F32(Planar), room as usize + delay.unsigned_abs() as usize, output);
        context.run(sound, &mut resampled).map_err(&failed)?;
        Ok((resampled, delay))
    }
}

pub(super) fn layout_of(channels: u16) -> ChannelLayout {
    if channels == 1 { ChannelLayout::MONO } else { ChannelLayout::STEREO }
}
