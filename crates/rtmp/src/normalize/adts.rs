//! ADTS: AAC frames that each say how they are coded (ISO 14496-3 §1.A.2.2), and the AudioSpecificConfig that says the same.

/// Bytes of a header without a checksum.
const HEADER_LEN: usize = 7;
/// Bytes of a checksum.
const CRC_LEN: usize = 2;
/// Samples of a frame, for each raw data block.
const BLOCK_SAMPLES: u64 = 1_024;
/// `samplingFrequencyIndex` to Hz (ISO 14496-3 table 1.18).
pub(super) const RATES: [u32; 13] =
    [96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000, 7_350];

/// How AAC is coded, as far as both headers say it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct AacConfig {
    /// `audioObjectType`.
    pub(super) object: u8,
    /// `samplingFrequencyIndex`.
    pub(super) rate: u8,
    /// `channelConfiguration`; 0 means that the frames say it.
    pub(super) channels: u8,
}

impl AacConfig {
    /// Reads the start of an AudioSpecificConfig; `None` if it is none.
    pub(super) fn read(data: &[u8]) -> Option<Self> {
        let [first, second, ..] = *data else { return None };
        let config =
            Self { object: first >> 3, rate: (first & 7) << 1 | second >> 7, channels: second >> 3 & 0x0F };
        // Index 15: the rate itself follows.
        (config.object != 0 && (config.rate == 15 || usize::from(config.rate) < RATES.len()))
            .then_some(config)
    }

    /// An AudioSpecificConfig.
    pub(super) fn write(self) -> [u8; 2] {
        [self.object << 3 | self.rate >> 1, self.rate << 7 | self.channels << 3]
    }
}

/// One ADTS frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct AdtsFrame<'a> {
    pub(super) config: AacConfig,
    /// Its raw data blocks.
    pub(super) raw: &'a [u8],
    samples: u64,
}

impl AdtsFrame<'_> {
    /// Milliseconds of `samples` at its rate.
    fn millis(&self, samples: u64) -> u32 {
        let rate = u64::from(RATES[usize::from(self.config.rate)]);
        ((samples * 1_000 + rate / 2) / rate) as u32
    }
}

/// Whether `data` begins as ADTS. Raw AAC does not: its first element would be the end of all elements.
pub(super) fn is_adts(data: &[u8]) -> bool {
    matches!(*data, [0xFF, second, ..] if second & 0xF6 == 0xF0)
}

/// How the header at the front of `data` says that AAC is coded.
pub(super) fn config(data: &[u8]) -> Option<AacConfig> {
    let [_, _, third, fourth, ..] = *data else { return None };
    let config = AacConfig {
        object: (third >> 6) + 1,
        rate: third >> 2 & 0x0F,
        channels: (third & 1) << 2 | fourth >> 6,
    };
    (is_adts(data) && usize::from(config.rate) < RATES.len()).then_some(config)
}

/// All frames of a message, each with the milliseconds after which it follows the first; `None` if that is not what it is
/// made of.
pub(super) fn frames(mut data: &[u8]) -> Option<Vec<(AdtsFrame<'_>, u32)>> {
    let (mut frames, mut samples) = (Vec::new(), 0);
    while !data.is_empty() {
        let (frame, rest) = split(data)?;
        frames.push((frame, frame.millis(samples)));
        samples += frame.samples;
        data = rest;
    }
    Some(frames)
}

fn split(data: &[u8]) -> Option<(AdtsFrame<'_>, &[u8])> {
    let config = config(data)?;
    let [_, second, _, fourth, fifth, sixth, seventh] = *data.first_chunk::<HEADER_LEN>()?;
    let has_crc = second & 1 == 0;
    let more_blocks = seventh & 3;
    if has_crc && more_blocks > 0 {
        // Checksums stand between the blocks. Nobody sends that.
        return None;
    }
    let length = usize::from(fourth & 3) << 11 | usize::from(fifth) << 3 | usize::from(sixth >> 5);
    let (frame, rest) = data.split_at_checked(length)?;
    let raw = frame.get(if has_crc { HEADER_LEN + CRC_LEN } else { HEADER_LEN }..)?;
    let samples = BLOCK_SAMPLES * (u64::from(more_blocks) + 1);
    (!raw.is_empty()).then_some((AdtsFrame { config, raw, samples }, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// AAC-LC, 48 kHz, one channel.
    fn adts(raw: &[u8], crc: bool) -> Vec<u8> {
        let length = raw.len() + if crc { 9 } else { 7 };
        let mut frame = vec![0xFF, 0xF0 | u8::from(!crc), 0x4C, 0x40 | (length >> 11) as u8];
        frame.extend([(length >> 3) as u8, ((length & 7) << 5) as u8 | 0x1F, 0xFC]);
        frame.extend(if crc { &[0xAB, 0xCD][..] } else { &[] });
        frame.extend(raw);
        frame
    }

    #[test]
    fn frames_are_told_apart_and_timed() {
        let data = [adts(b"abc", false), adts(b"d", true), adts(&[7; 2_000], false)].concat();
        let read = frames(&data).unwrap();
        let seen: Vec<_> = read.iter().map(|(frame, after)| (frame.raw, *after)).collect();
        assert_eq!(seen, [(&b"abc"[..], 0), (b"d", 21), (&[7; 2_000], 43)]);
        let config = AacConfig { object: 2, rate: 3, channels: 1 };
        assert!(read.iter().all(|(frame, _)| frame.config == config));
        assert_eq!(AacConfig::read(&config.write()), Some(config));
        assert_eq!(config.write(), [0x11, 0x88]);
    }

    #[test]
    fn truncated_adts_yields_no_frames() {
        let data = [adts(b"abc", false), adts(b"d", true)].concat();
        for end in 1..data.len() {
            assert_eq!(frames(&data[..end]).is_some(), end == 10, "{end}");
        }
        assert_eq!(frames(&adts(b"", false)), None, "an empty frame");
        assert!(!is_adts(&[0x21, 0x10]) && !is_adts(&[0xFF]));
    }
}
