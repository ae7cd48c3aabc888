//! Decoder configurations, and NAL units inside H.264 and HEVC messages: enough to tell where a decoder can start.

/// What this crate needs of an avcC record (ISO 14496-15 §5.3.3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AvcConfig {
    /// `profile_idc`.
    pub profile: u8,
    /// `profile_compatibility`: constraint flags.
    pub constraints: u8,
    /// `level_idc`.
    pub level: u8,
    /// Bytes of each NAL unit's length: 1, 2 or 4.
    pub nal_length_size: usize,
}

impl AvcConfig {
    /// Reads the start of an avcC; `None` when it is not one.
    #[must_use]
    pub fn parse(data: &[u8]) -> Option<Self> {
        let [1, profile, constraints, level, length_size, ..] = *data else { return None };
        Some(Self { profile, constraints, level, nal_length_size: nal_length_size(length_size)? })
    }
}

/// What this crate needs of an hvcC record (ISO 14496-15 §8.3.3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HevcConfig {
    /// `general_profile_idc`.
    pub profile: u8,
    /// `general_level_idc`.
    pub level: u8,
    /// Bytes of each NAL unit's length: 1, 2 or 4.
    pub nal_length_size: usize,
}

impl HevcConfig {
    /// Reads the start of an hvcC; `None` when it is not one.
    #[must_use]
    pub fn parse(data: &[u8]) -> Option<Self> {
        let head: &[u8; 23] = data.first_chunk()?;
        // Version 0 was written by early encoders.
        if head[0] > 1 {
            return None;
        }
        Some(Self { profile: head[1] & 0x1F, level: head[12], nal_length_size: nal_length_size(head[21])? })
    }
}

/// What this crate needs of an av1C record (AV1 in ISOBMFF §2.3.3): that it is one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Av1Config {
    /// `seq_profile`.
    pub profile: u8,
    /// `seq_level_idx_0`.
    pub level: u8,
}

impl Av1Config {
    /// Reads the start of an av1C; `None` when it is not one.
    #[must_use]
    pub fn parse(data: &[u8]) -> Option<Self> {
        // Marker bit and version 1.
        let [0x81, profile_level, _, _, ..] = *data else { return None };
        Some(Self { profile: profile_level >> 5, level: profile_level & 0x1F })
    }
}

/// At which pictures of a stream a decoder can start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RandomAccess {
    /// Everything that is shown from here on can be decoded.
    Closed,
    /// Pictures that follow, and are shown before this one, may need what came earlier (HEVC CRA, "open GOP").
    Open,
}

fn nal_length_size(byte: u8) -> Option<usize> {
    match byte & 0x03 {
        2 => None,
        less_one => Some(usize::from(less_one) + 1),
    }
}

/// The NAL units of one message, without their lengths. Ends at the first length that points beyond the message.
#[derive(Debug, Clone)]
pub struct NalUnits<'a> {
    rest: &'a [u8],
    length_size: usize,
}

impl<'a> NalUnits<'a> {
    /// `length_size` comes from the sequence header.
    #[must_use]
    pub fn new(data: &'a [u8], length_size: usize) -> Self {
        Self { rest: data, length_size: length_size.clamp(1, 4) }
    }

    /// Whether one of them is an H.264 IDR slice (type 5).
    #[must_use]
    pub fn has_avc_idr(self) -> bool {
        self.filter_map(|nal| nal.first()).any(|head| head & 0x1F == 5)
    }

    /// How a decoder can start at these HEVC slices, by the first of a random access picture (H.265 table 7-1): IDR and
    /// BLA are types 16 to 20 (what a BLA's leading pictures need is never there), CRA is 21.
    #[must_use]
    pub fn hevc_random_access(self) -> Option<RandomAccess> {
        self.filter_map(|nal| nal.first()).find_map(|head| match head >> 1 & 0x3F {
            16..=20 => Some(RandomAccess::Closed),
            21 => Some(RandomAccess::Open),
            _ => None,
        })
    }
}

impl<'a> Iterator for NalUnits<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let (length, rest) = self.rest.split_at_checked(self.length_size)?;
        let length = length.iter().fold(0, |length, &byte| length << 8 | usize::from(byte));
        let (nal, rest) = rest.split_at_checked(length)?;
        self.rest = rest;
        Some(nal)
    }
}
