//! Fields of H.264 (§3.30, complementary field pairs): the two of a picture are one access unit to readers, though some
//! encoders send each as a message of its own, with a time of its own.

use super::bits::Bits;
use super::nal::SetKind;
use super::parameters::{ParameterSets, has_chroma};

/// The most that `log2_max_frame_num_minus4` and `num_ref_frames_in_pic_order_cnt_cycle` may be (§7.4.2.1.1).
const MAX_LOG2_FRAME_NUM: u32 = 12;
const MAX_ORDER_CYCLE: u32 = 255;

/// What a slice says of the field that it is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Field {
    frame_num: u32,
    is_bottom: bool,
    is_reference: bool,
    is_idr: bool,
}

impl Field {
    /// The field of a slice; `None` for one of a whole frame, and if its parameter sets are not known.
    pub(super) fn of(slice: &[u8], sets: &ParameterSets) -> Option<Self> {
        let head = *slice.first()?;
        let mut bits = Bits::new(slice.get(1..)?);
        let _first_and_kind = (bits.golomb()?, bits.golomb()?);
        let picture = sets.get(SetKind::Picture, bits.golomb()?)?;
        let mut ids = Bits::new(picture.get(1..)?);
        let (_, sequence) = (ids.golomb()?, ids.golomb()?);
        let Sequence { frame_num_bits, has_planes } =
            Sequence::with_fields(sets.get(SetKind::Sequence, sequence)?)?;
        bits.skip(if has_planes { 2 } else { 0 })?;
        let frame_num = bits.number(frame_num_bits)?;
        if !bits.flag()? {
            return None;
        }
        let (is_reference, is_idr) = (head & 0x60 != 0, head & 0x1F == 5);
        Some(Self { frame_num, is_bottom: bits.flag()?, is_reference, is_idr })
    }

    /// Whether it makes a picture with the field before it.
    pub(super) fn is_second_of(self, first: Self) -> bool {
        self.frame_num == first.frame_num
            && self.is_bottom != first.is_bottom
            && self.is_reference == first.is_reference
            && !self.is_idr
    }
}

/// What of an SPS is needed to read a slice of a field.
struct Sequence {
    frame_num_bits: u32,
    has_planes: bool,
}

impl Sequence {
    /// `None` if it allows frames alone, or cannot be read (§7.3.2.1.1).
    fn with_fields(unit: &[u8]) -> Option<Self> {
        let mut bits = Bits::new(unit.get(1..)?);
        let profile = bits.number(8)? as u8;
        bits.skip(16)?;
        bits.golomb()?;
        let mut has_planes = false;
        if has_chroma(profile) {
            let chroma = bits.golomb()?;
            has_planes = chroma == 3 && bits.flag()?;
            let _depths = (bits.golomb()?, bits.golomb()?);
            bits.skip(1)?;
            if bits.flag()? {
                scaling_matrices(&mut bits, if chroma == 3 { 12 } else { 8 })?;
            }
        }
        let frame_num_bits = 4 + bits.golomb().filter(|bits| *bits <= MAX_LOG2_FRAME_NUM)?;
        match bits.golomb()? {
            0 => drop(bits.golomb()?),
            1 => {
                bits.skip(1)?;
                let _offsets = (bits.golomb()?, bits.golomb()?);
                for _ in 0..bits.golomb().filter(|count| *count <= MAX_ORDER_CYCLE)? {
                    bits.golomb()?;
                }
            }
            _ => {}
        }
        bits.golomb()?;
        bits.skip(1)?;
        let _size = (bits.golomb()?, bits.golomb()?);
        let frames_alone = bits.flag()?;
        (!frames_alone).then_some(Self { frame_num_bits, has_planes })
    }
}

/// Passes over `scaling_list()`s (§7.3.2.1.1.1).
fn scaling_matrices(bits: &mut Bits<'_>, count: usize) -> Option<()> {
    for list in 0..count {
        if !bits.flag()? {
            continue;
        }
        let mut last = 8;
        for _ in 0..if list < 6 { 16 } else { 64 } {
            let code = i64::from(bits.golomb()?);
            // se(v): 1, -1, 2, -2, …
            let delta = if code % 2 == 1 { (code + 1) / 2 } else { -code / 2 };
            last = (last + delta).rem_euclid(256);
            if last == 0 {
                break;
            }
        }
    }
    Some(())
}

#[cfg(test)]
mod tests;
