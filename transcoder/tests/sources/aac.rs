//! AAC that the ffmpeg command does not make (ISO/IEC 14496-3): configurations of all kinds, ADTS headers, frames of 960
//! samples, HE-AAC.

use super::bits::Bits;
use super::message::{AUDIO, Message};

/// ISO/IEC 14496-3 table 1.18.
pub const RATES: [u32; 13] =
    [96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000, 7_350];

fn index(rate: u32) -> u32 {
    RATES.iter().position(|known| *known == rate).unwrap() as u32
}

/// An AudioSpecificConfig of AAC-LC (1.6.2.1); `short`: 960 samples a frame.
pub fn config(rate: u32, channels: u32, short: bool) -> Vec<u8> {
    let config = Bits::default().put(5, 2).put(4, index(rate)).put(4, channels);
    config.put(1, short.into()).put(2, 0).bytes()
}

/// The same with the rate spelled out.
pub fn config_with_rate(rate: u32, channels: u32) -> Vec<u8> {
    Bits::default().put(5, 2).put(4, 15).put(24, rate).put(4, channels).put(3, 0).bytes()
}

/// A message with a sequence header.
pub fn header(config: &[u8]) -> Message {
    Message::new(AUDIO, 0, [&[0xaf, 0], config].concat())
}

/// A message with a frame.
pub fn frame(time: u32, frame: &[u8]) -> Message {
    Message::new(AUDIO, time, [&[0xaf, 1], frame].concat())
}

/// A frame behind its ADTS header (1.A.2.2).
pub fn adts(frame: &[u8], rate: u32, channels: u32) -> Vec<u8> {
    let head =
        Bits::default().put(12, 0xfff).put(4, 1).put(2, 1).put(4, index(rate)).put(1, 0).put(3, channels);
    let head = head.put(4, 0).put(13, frame.len() as u32 + 7).put(11, 0x7ff).put(2, 0);
    [&head.bytes(), frame].concat()
}

/// A frame in which nothing is heard: one channel without any band.
pub fn silent_frame() -> Vec<u8> {
    silence(Bits::default()).put(3, 7).bytes()
}

fn silence(bits: Bits) -> Bits {
    // SCE 0: gain, no reserved bit, long window of sine shape, no bands, no prediction; no pulse, TNS, gain control.
    bits.put(3, 0).put(4, 0).put(8, 100).put(1, 0).put(2, 0).put(1, 0).put(6, 0).put(1, 0).put(3, 0)
}

/// A frame of one channel with one line in its lowest band of four: with 960 samples at 48 kHz a rough tone of some 60 Hz;
/// `loud` is the gain (one step is 1.5 dB).
pub fn rough_frame(loud: u32) -> Vec<u8> {
    let head =
        Bits::default().put(3, 0).put(4, 0).put(8, loud).put(1, 0).put(2, 0).put(1, 0).put(6, 1).put(1, 0);
    // One section of codebook 1 (signed quadruples), one band; the scale factor is the gain (difference 0: codeword "0").
    let sections = head.put(4, 1).put(5, 1).put(1, 0).put(3, 0);
    // Codebook 1 (table 4.A.2): the quadruple (0, 0, -1, 0).
    sections.put(5, 0x15).put(3, 7).bytes()
}

/// Frames of HE-AAC as recorded beside this file: see captures/README.md.
pub struct HighEfficiency {
    /// Of the encoder, with backward-compatible signalling.
    pub config: Vec<u8>,
    samples: u32,
    delay: u32,
    rate: u32,
    frames: Vec<Vec<u8>>,
}

impl HighEfficiency {
    pub fn read(file: &[u8], rate: u32) -> Self {
        let (size, rest) = file.split_first().unwrap();
        let (config, rest) = rest.split_at(usize::from(*size));
        let number = |at: usize| u32::from(u16::from_be_bytes([rest[at], rest[at + 1]]));
        let (samples, delay) = (number(0), number(2));
        let (mut frames, mut rest) = (Vec::new(), &rest[4..]);
        while let Some((size, behind)) = rest.split_first_chunk::<2>() {
            let (frame, behind) = behind.split_at(usize::from(u16::from_be_bytes(*size)));
            frames.push(frame.to_vec());
            rest = behind;
        }
        Self { config: config.to_vec(), samples, delay, rate, frames }
    }

    /// As messages, the encoder's delay taken off, with this configuration.
    pub fn messages(&self, config: &[u8]) -> Vec<Message> {
        let time = |at: usize| {
            let samples = i64::from(self.samples) * at as i64 - i64::from(self.delay);
            samples * 1_000 / i64::from(self.rate)
        };
        let frames = self
            .frames
            .iter()
            .enumerate()
            .filter_map(|(at, one)| Some(frame(u32::try_from(time(at)).ok()?, one)));
        [header(config)].into_iter().chain(frames).collect()
    }
}
