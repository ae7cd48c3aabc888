//! Parameter sets by their ids, and the decoder configuration records (ISO 14496-15 §5.3.3.1 and §8.3.3.1) that carry them.

use std::collections::BTreeMap;

use bytes::{BufMut, Bytes, BytesMut};

use super::bits::Bits;
use super::framing::{Framing, LENGTH_SIZE};
use super::nal::{SetKind, Syntax, Unit};

/// Longest record that is made, bytes; real ones have 50. It is kept in memory for each run.
const MAX_RECORD_BYTES: usize = 8 * 1024;
/// Parameter sets that an avcC can count (5 bits of SPS, 8 of PPS); ids are as bounded (H.264 §7.4.2, H.265 §7.4.3).
const MAX_SEQUENCE_SETS: usize = 31;
const MAX_PICTURE_SETS: usize = 255;

/// All parameter sets of a stream. The newest of each id counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ParameterSets {
    syntax: Syntax,
    sets: BTreeMap<(SetKind, u32), Bytes>,
}

impl ParameterSets {
    pub(super) fn new(syntax: Syntax) -> Self {
        Self { syntax, sets: BTreeMap::new() }
    }

    /// Reads a record, or what some send in its place: parameter sets behind start codes. What of it cannot be read is
    /// left out. Answers the bytes of a NAL unit's length, too.
    pub(super) fn read(syntax: Syntax, record: &[u8]) -> Option<(Self, Option<usize>)> {
        let mut sets = Self::new(syntax);
        if Framing::of(record, LENGTH_SIZE) == Some(Framing::StartCodes) {
            Framing::StartCodes.units(record).for_each(|unit| sets.learn_any(unit));
            return sets.is_complete().then_some((sets, None));
        }
        let length_at = match syntax {
            Syntax::Avc => 4,
            Syntax::Hevc => 21,
        };
        let version = *record.first()?;
        let length_size = usize::from(record.get(length_at)? & 3) + 1;
        let read = match syntax {
            Syntax::Avc if version == 1 => sets.read_avcc(record.get(5..)?),
            // Version 0 was written by early encoders.
            Syntax::Hevc if version <= 1 => sets.read_hvcc(record.get(22..)?),
            _ => return None,
        };
        // A record that ends early is what its encoder meant; parameter sets may come with the pictures.
        let _ = read;
        Some((sets, Some(length_size)))
    }

    fn read_avcc(&mut self, mut rest: &[u8]) -> Option<()> {
        for mask in [0x1F, 0xFF] {
            let (&count, behind) = rest.split_first()?;
            rest = self.learn_counted(count & mask, behind)?;
        }
        Some(())
    }

    fn read_hvcc(&mut self, rest: &[u8]) -> Option<()> {
        let (&arrays, mut rest) = rest.split_first()?;
        for _ in 0..arrays {
            let ([_kind, _, count], behind) = rest.split_first_chunk::<3>()?;
            rest = self.learn_counted(*count, behind)?;
        }
        Some(())
    }

    fn learn_counted<'a>(&mut self, count: u8, mut rest: &'a [u8]) -> Option<&'a [u8]> {
        for _ in 0..count {
            let (length, behind) = rest.split_first_chunk::<2>()?;
            let (unit, behind) = behind.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
            self.learn_any(unit);
            rest = behind;
        }
        Some(rest)
    }

    fn learn_any(&mut self, unit: &[u8]) {
        if !unit.is_empty()
            && let Unit::Set(kind) = self.syntax.classify(unit)
        {
            self.learn(kind, unit);
        }
    }

    /// Takes note of a parameter set. One that cannot be read, or is one too many, is nobody's but its picture's.
    pub(super) fn learn(&mut self, kind: SetKind, unit: &[u8]) {
        let Some(id) = self.id(kind, unit) else { return };
        let key = (kind, id);
        let known = self.sets.get(&key);
        let others = self.bytes() - known.map_or(0, Bytes::len);
        if known.is_none_or(|known| *known != unit) && others + unit.len() <= MAX_RECORD_BYTES {
            self.sets.insert(key, Bytes::copy_from_slice(unit));
        }
    }

    /// Whether it is known to the byte.
    pub(super) fn knows(&self, kind: SetKind, unit: &[u8]) -> bool {
        self.id(kind, unit).is_some_and(|id| self.sets.get(&(kind, id)).is_some_and(|known| known == unit))
    }

    /// Whether pictures can be decoded with them.
    pub(super) fn is_complete(&self) -> bool {
        let has = |kind| self.of(kind).next().is_some();
        has(SetKind::Sequence) && has(SetKind::Picture) && (self.syntax == Syntax::Avc || has(SetKind::Video))
    }

    /// The record, with lengths of four bytes; `None` if it would be none.
    pub(super) fn record(&self) -> Option<BytesMut> {
        if !self.is_complete() {
            return None;
        }
        match self.syntax {
            Syntax::Avc => self.avcc(),
            Syntax::Hevc => self.hvcc(),
        }
    }

    /// A parameter set by its id.
    pub(super) fn get(&self, kind: SetKind, id: u32) -> Option<&Bytes> {
        self.sets.get(&(kind, id))
    }

    fn bytes(&self) -> usize {
        self.sets.values().map(Bytes::len).sum()
    }

    fn of(&self, kind: SetKind) -> impl Iterator<Item = &Bytes> {
        self.sets.range((kind, 0)..=(kind, u32::MAX)).map(|(_, unit)| unit)
    }

    fn id(&self, kind: SetKind, unit: &[u8]) -> Option<u32> {
        let mut bits = Bits::new(unit.get(self.syntax.header_len()..)?);
        let (id, most) = match (self.syntax, kind) {
            (Syntax::Avc, SetKind::Sequence) => {
                bits.skip(24)?;
                (bits.golomb()?, 31)
            }
            (Syntax::Avc, _) => (bits.golomb()?, 255),
            (Syntax::Hevc, SetKind::Video) => (bits.number(4)?, 15),
            (Syntax::Hevc, SetKind::Sequence) => (HevcSequence::read(unit)?.id, 15),
            (Syntax::Hevc, SetKind::Picture) => (bits.golomb()?, 63),
        };
        (id <= most && unit.len() <= MAX_RECORD_BYTES).then_some(id)
    }

    fn avcc(&self) -> Option<BytesMut> {
        let first = self.of(SetKind::Sequence).next()?;
        let [_, profile, constraints, level, ..] = **first else { return None };
        let mut out = BytesMut::new();
        out.put_slice(&[1, profile, constraints, level, 0xFC | (LENGTH_SIZE - 1) as u8]);
        let sequence: Vec<&Bytes> = self.of(SetKind::Sequence).take(MAX_SEQUENCE_SETS).collect();
        let picture: Vec<&Bytes> = self.of(SetKind::Picture).take(MAX_PICTURE_SETS).collect();
        for (reserved, sets) in [(0xE0, sequence), (0, picture)] {
            out.put_u8(reserved | sets.len() as u8);
            sets.into_iter().for_each(|unit| put_counted(&mut out, unit));
        }
        if has_chroma(profile) {
            let (chroma, luma_depth, chroma_depth) = avc_format(first)?;
            out.put_slice(&[0xFC | chroma, 0xF8 | luma_depth, 0xF8 | chroma_depth, 0]);
        }
        Some(out)
    }

    fn hvcc(&self) -> Option<BytesMut> {
        let sequence = HevcSequence::read(self.of(SetKind::Sequence).next()?)?;
        let mut out = BytesMut::new();
        out.put_u8(1);
        out.put_slice(&sequence.profile_tier_level);
        // Spatial segmentation and parallelism are not known.
        out.put_slice(&[0xF0, 0, 0xFC, 0xFC | sequence.chroma]);
        out.put_slice(&[0xF8 | sequence.luma_depth, 0xF8 | sequence.chroma_depth, 0, 0]);
        out.put_u8(sequence.sub_layers << 3 | u8::from(sequence.nested) << 2 | (LENGTH_SIZE - 1) as u8);
        out.put_u8(3);
        for (kind, number) in [(SetKind::Video, 32), (SetKind::Sequence, 33), (SetKind::Picture, 34)] {
            out.put_u8(0x80 | number);
            out.put_u16(self.of(kind).count() as u16);
            self.of(kind).for_each(|unit| put_counted(&mut out, unit));
        }
        Some(out)
    }
}

/// A record that says that lengths have four bytes.
pub(super) fn with_long_lengths(syntax: Syntax, record: &[u8]) -> Vec<u8> {
    let mut record = record.to_vec();
    let at = if syntax == Syntax::Avc { 4 } else { 21 };
    if let Some(byte) = record.get_mut(at) {
        *byte |= 3;
    }
    record
}

fn put_counted(out: &mut BytesMut, unit: &Bytes) {
    // An id is given only to units that fit.
    out.put_u16(unit.len() as u16);
    out.put_slice(unit);
}

/// Profiles whose SPS says more than 4:2:0 in 8 bits (H.264 §7.3.2.1.1).
pub(super) fn has_chroma(profile: u8) -> bool {
    matches!(profile, 100 | 110 | 122 | 244 | 44 | 83 | 86 | 118 | 128 | 138 | 139 | 134 | 135)
}

/// `chroma_format_idc`, and bits above 8 of luma and chroma.
fn avc_format(sps: &[u8]) -> Option<(u8, u8, u8)> {
    let mut bits = Bits::new(sps.get(4..)?);
    bits.golomb()?;
    let chroma = bits.golomb().filter(|format| *format <= 3)?;
    if chroma == 3 {
        bits.skip(1)?;
    }
    let mut depth = || bits.golomb().filter(|depth| *depth <= 6);
    let (luma_depth, chroma_depth) = (depth()?, depth()?);
    Some((chroma as u8, luma_depth as u8, chroma_depth as u8))
}

/// What an hvcC says of an SPS (H.265 §7.3.2.2).
struct HevcSequence {
    id: u32,
    profile_tier_level: [u8; 12],
    sub_layers: u8,
    nested: bool,
    chroma: u8,
    luma_depth: u8,
    chroma_depth: u8,
}

impl HevcSequence {
    fn read(unit: &[u8]) -> Option<Self> {
        let mut bits = Bits::new(unit.get(2..)?);
        bits.skip(4)?;
        let more_layers = bits.number(3)?;
        let nested = bits.flag()?;
        let mut profile_tier_level = [0; 12];
        for byte in &mut profile_tier_level {
            *byte = bits.number(8)? as u8;
        }
        let mut present = Vec::new();
        for _ in 0..more_layers {
            present.push((bits.flag()?, bits.flag()?));
        }
        if more_layers > 0 {
            bits.skip(2 * (8 - more_layers))?;
        }
        for (profile, level) in present {
            bits.skip(if profile { 88 } else { 0 } + if level { 8 } else { 0 })?;
        }
        let id = bits.golomb()?;
        let chroma = bits.golomb().filter(|format| *format <= 3)?;
        if chroma == 3 {
            bits.skip(1)?;
        }
        let _size = (bits.golomb()?, bits.golomb()?);
        if bits.flag()? {
            let _window = (bits.golomb()?, bits.golomb()?, bits.golomb()?, bits.golomb()?);
        }
        let mut depth = || bits.golomb().filter(|depth| *depth <= 7);
        let (luma_depth, chroma_depth) = (depth()? as u8, depth()? as u8);
        let (sub_layers, chroma) = (more_layers as u8 + 1, chroma as u8);
        Some(Self { id, profile_tier_level, sub_layers, nested, chroma, luma_depth, chroma_depth })
    }
}

#[cfg(test)]
mod tests;
