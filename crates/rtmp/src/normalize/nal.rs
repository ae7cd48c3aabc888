//! What a NAL unit is to an access unit, for H.264 (table 7-1) and HEVC (table 7-1) alike.

use super::bits::Bits;
use crate::codec::RandomAccess;

/// The codec whose NAL units they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Syntax {
    Avc,
    Hevc,
}

/// A kind of parameter set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum SetKind {
    Video,
    Sequence,
    Picture,
}

/// What a NAL unit is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unit {
    /// A part of a picture.
    Slice {
        /// Whether nothing of the picture comes before it.
        first: bool,
        /// Whether a decoder can start with its picture.
        random_access: Option<RandomAccess>,
    },
    /// A parameter set.
    Set(SetKind),
    /// Belongs to the picture behind it: delimiters, SEI, and all that is not known.
    Before,
    /// Belongs to the picture before it: filler, ends of sequence and stream, suffix SEI.
    After,
}

impl Syntax {
    /// Classifies a NAL unit that is not empty.
    pub(super) fn classify(self, unit: &[u8]) -> Unit {
        match self {
            Self::Avc => avc(unit),
            Self::Hevc => hevc(unit),
        }
    }

    /// Bytes before the payload.
    pub(super) fn header_len(self) -> usize {
        match self {
            Self::Avc => 1,
            Self::Hevc => 2,
        }
    }

    /// Whether a slice says that it needs other pictures. Only H.264 is looked at: whole HEVC pictures that need none
    /// are told by their type.
    pub(super) fn is_predicted(self, slice: &[u8]) -> bool {
        let read = || {
            let mut bits = Bits::new(slice.get(self.header_len()..)?);
            bits.golomb()?;
            bits.golomb()
        };
        // Slice types 2 and 4 are I and SI, and so are 7 and 9, which speak for the whole picture (§7.4.3).
        self == Self::Avc && read().is_some_and(|kind| !matches!(kind % 5, 2 | 4))
    }
}

/// The first bit behind the header: `first_mb_in_slice` is 0 (ue(v)), or `first_slice_segment_in_pic_flag`.
fn begins_picture(unit: &[u8], header_len: usize) -> bool {
    unit.get(header_len).is_none_or(|byte| byte & 0x80 != 0)
}

fn avc(unit: &[u8]) -> Unit {
    let first = || begins_picture(unit, 1);
    match unit.first().map_or(0, |head| head & 0x1F) {
        5 => Unit::Slice { first: first(), random_access: Some(RandomAccess::Closed) },
        1 | 2 => Unit::Slice { first: first(), random_access: None },
        // Partitions B and C follow their A.
        3 | 4 => Unit::Slice { first: false, random_access: None },
        7 => Unit::Set(SetKind::Sequence),
        8 => Unit::Set(SetKind::Picture),
        10..=12 | 19..=21 => Unit::After,
        _ => Unit::Before,
    }
}

fn hevc(unit: &[u8]) -> Unit {
    let kind = unit.first().map_or(0, |head| head >> 1 & 0x3F);
    let is_base_layer =
        unit.first().is_none_or(|head| head & 1 == 0) && unit.get(1).is_none_or(|second| second >> 3 == 0);
    let random_access = match kind {
        // What the leading pictures of a BLA need is never there.
        16..=20 => Some(RandomAccess::Closed),
        21 => Some(RandomAccess::Open),
        _ => None,
    };
    match kind {
        _ if !is_base_layer => Unit::After,
        0..=31 => Unit::Slice { first: begins_picture(unit, 2), random_access },
        32 => Unit::Set(SetKind::Video),
        33 => Unit::Set(SetKind::Sequence),
        34 => Unit::Set(SetKind::Picture),
        36..=38 | 40 | 45..=47 | 56..=63 => Unit::After,
        _ => Unit::Before,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn h264_units_know_their_place() {
        let slice = |first, random_access| Unit::Slice { first, random_access };
        for (unit, expected) in [
            (&[0x65, 0x88][..], slice(true, Some(RandomAccess::Closed))),
            (&[0x65, 0x40], slice(false, Some(RandomAccess::Closed))),
            (&[0x41, 0x9a], slice(true, None)),
            (&[0x01, 0x1a], slice(false, None)),
            (&[0x67, 0x64], Unit::Set(SetKind::Sequence)),
            (&[0x68, 0xee], Unit::Set(SetKind::Picture)),
            (&[0x06, 0x05], Unit::Before),
            (&[0x09, 0xf0], Unit::Before),
            (&[0x0a], Unit::After),
            (&[0x0c, 0xff], Unit::After),
        ] {
            assert_eq!(Syntax::Avc.classify(unit), expected, "{unit:x?}");
        }
    }

    #[test]
    fn hevc_units_know_their_place() {
        let slice = |first, random_access| Unit::Slice { first, random_access };
        for (unit, expected) in [
            (&[0x26, 0x01, 0xaf][..], slice(true, Some(RandomAccess::Closed))),
            (&[0x2a, 0x01, 0x2f], slice(false, Some(RandomAccess::Open))),
            (&[0x02, 0x01, 0xd0], slice(true, None)),
            (&[0x02, 0x09, 0xd0], Unit::After),
            (&[0x40, 0x01], Unit::Set(SetKind::Video)),
            (&[0x42, 0x01], Unit::Set(SetKind::Sequence)),
            (&[0x44, 0x01], Unit::Set(SetKind::Picture)),
            (&[0x46, 0x01], Unit::Before),
            (&[0x4e, 0x01], Unit::Before),
            (&[0x50, 0x01], Unit::After),
            (&[0x48, 0x01], Unit::After),
        ] {
            assert_eq!(Syntax::Hevc.classify(unit), expected, "{unit:x?}");
        }
    }

    #[test]
    fn predicted_slices_are_told_by_their_type() {
        // first_mb 0, then slice types 5 (P), 7 (I), 0 (P) and 2 (I).
        for (byte, predicted) in
            [(0b1001_1000, true), (0b1000_1000, false), (0b1100_0000, true), (0b1011_0000, false)]
        {
            assert_eq!(Syntax::Avc.is_predicted(&[0x41, byte, 0x80]), predicted, "{byte:b}");
        }
        assert!(!Syntax::Hevc.is_predicted(&[0x02, 0x01, 0xd0]));
        assert!(!Syntax::Avc.is_predicted(&[0x41]));
    }
}
