//! The AAC-LC encoder on the grid: whole frames in, packets labelled with the grid frame they play at out.

use std::collections::VecDeque;

use ff::codec;
use ff::format::Sample;
use ff::format::sample::Type::Planar;
use ff::{encoder, frame};
use ffmpeg_next as ff;

use super::pcm::layout_of;
use crate::media::error::MediaError;
use crate::media::{FRAME_SAMPLES, GridFrame, SAMPLE_RATE};

/// One encoder; frames must be consecutive.
pub(crate) struct Aac {
    encoder: encoder::Audio,
    channels: u16,
    bitrate: u32,
    /// Packets before it only warm up the encoder.
    first: GridFrame,
    out: VecDeque<(GridFrame, ff::Packet)>,
    next: GridFrame,
}

impl Aac {
    pub(crate) fn open(channels: u16, stereo_bitrate: u32, first: GridFrame) -> Result<Self, MediaError> {
        let bitrate = if channels == 1 { stereo_bitrate / 2 } else { stereo_bitrate };
        let encoder = open(channels, bitrate).map_err(MediaError::av("cannot open the AAC encoder"))?;
        Ok(Self { encoder, channels, bitrate, first, out: VecDeque::new(), next: first })
    }

    pub(crate) fn context(&self) -> &codec::Context {
        &self.encoder
    }

    pub(crate) fn channels(&self) -> u16 {
        self.channels
    }

    pub(crate) fn bitrate(&self) -> u32 {
        self.bitrate
    }

    /// The first frame that has not come out yet.
    pub(crate) fn next(&self) -> GridFrame {
        self.next
    }

    pub(crate) fn encode(&mut self, at: GridFrame, planes: &[Vec<f32>]) -> Result<(), MediaError> {
        let mut sound = frame::Audio::new(Sample::F32(Planar), FRAME_SAMPLES, layout_of(self.channels));
        sound.set_rate(SAMPLE_RATE);
        sound.set_pts(Some(at.sample() as i64));
        for (index, plane) in planes.iter().enumerate().take(sound.planes()) {
            sound.plane_mut::<f32>(index).copy_from_slice(plane);
        }
        self.encoder.send_frame(&sound).map_err(MediaError::av("cannot encode sound"))?;
        self.receive()
    }

    /// Makes the last frames come out; nothing can be encoded afterwards.
    pub(crate) fn finish(&mut self) -> Result<(), MediaError> {
        self.encoder.send_eof().map_err(MediaError::av("cannot flush the AAC encoder"))?;
        self.receive()
    }

    /// Packets of the frames before `to`.
    pub(crate) fn take(&mut self, to: GridFrame) -> Vec<ff::Packet> {
        let n = self.out.iter().take_while(|(at, _)| *at < to).count();
        self.out.drain(..n).map(|(_, packet)| packet).collect()
    }

    fn receive(&mut self) -> Result<(), MediaError> {
        loop {
            let mut packet = ff::Packet::empty();
            match self.encoder.receive_packet(&mut packet) {
                Ok(()) => {}
                Err(ff::Error::Eof | ff::Error::Other { errno: ff::error::EAGAIN }) => return Ok(()),
                Err(e) => return Err(MediaError::av("cannot take sound from the AAC encoder")(e)),
            }
            // The encoder labels a packet with the time of the samples that come out when it is decoded: its own
            // 1024 samples of priming are already subtracted.
            let sample = packet.pts().unwrap_or(-1);
            let at = GridFrame::new(u64::try_from(sample).unwrap_or(0) / FRAME_SAMPLES as u64);
            if sample < 0 || at < self.first {
                continue;
            }
            packet.set_dts(Some(sample));
            packet.set_duration(FRAME_SAMPLES as i64);
            self.next = at.next();
            self.out.push_back((at, packet));
        }
    }
}

fn open(channels: u16, bitrate: u32) -> Result<encoder::Audio, ff::Error> {
    let codec = encoder::find(codec::Id::AAC).ok_or(ff::Error::EncoderNotFound)?;
    let mut audio = codec::Context::new_with_codec(codec).encoder().audio()?;
    audio.set_rate(SAMPLE_RATE as i32);
    audio.set_format(Sample::F32(Planar));
    audio.set_channel_layout(layout_of(channels));
    audio.set_channels(i32::from(channels));
    audio.set_time_base(ff::Rational(1, SAMPLE_RATE as i32));
    audio.set_bit_rate(bitrate as usize);
    audio.set_flags(codec::Flags::GLOBAL_HEADER);
    audio.open_as(codec)
}
