//! As much of H.264 (ITU-T H.264) as conformance needs: which NAL units a sample has, and how large the picture is.

mod bits;
mod sps;

pub(crate) use bits::Bits;
pub(crate) use sps::sps;

/// NAL units of one sample; a picture of many slices is far below.
const MAX_NAL_UNITS: usize = 4_096;

/// What a sample of H.264 is made of.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Picture {
    /// Every slice is of an IDR picture (NAL unit type 5).
    pub(crate) idr: bool,
    /// It has slices at all.
    pub(crate) coded: bool,
    /// It has parameter sets that are not among the known ones.
    pub(crate) foreign_sets: bool,
}

/// Walks the length-prefixed NAL units of a sample (ISO/IEC 14496-15 §5.3.4.2). `known` are the sample entry's parameter sets.
pub(crate) fn picture(mut data: &[u8], length_size: usize, known: &[Vec<u8>]) -> Result<Picture, String> {
    let (mut found, mut other_slices) = (Picture::default(), false);
    for _ in 0..MAX_NAL_UNITS {
        if data.is_empty() {
            found.idr &= !other_slices;
            return Ok(found);
        }
        let (length, rest) =
            data.split_at_checked(length_size).ok_or("a NAL unit's length is cut off".to_owned())?;
        let length = length.iter().fold(0usize, |length, byte| length << 8 | usize::from(*byte));
        let (unit, rest) = rest
            .split_at_checked(length)
            .ok_or(format!("a NAL unit of {length} bytes in {} bytes", rest.len()))?;
        match unit.first().map(|byte| byte & 31) {
            Some(5) => (found.idr, found.coded) = (true, true),
            Some(1..=4) => (other_slices, found.coded) = (true, true),
            // SPS, PPS, SPS extension.
            Some(7 | 8 | 13) => found.foreign_sets |= !known.iter().any(|one| bare(one) == bare(unit)),
            Some(_) => {}
            None => return Err("an empty NAL unit".into()),
        }
        data = rest;
    }
    Err(format!("more than {MAX_NAL_UNITS} NAL units in one sample"))
}

/// Without zeros at the end, which a NAL unit may have in a byte stream (annex B) and some writers leave on.
fn bare(unit: &[u8]) -> &[u8] {
    let end = unit.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    &unit[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nal_units_tell_what_a_sample_is() {
        let idr = [0, 0, 0, 2, 0x67, 0, 0, 0, 0, 1, 0x65];
        let found = picture(&idr, 4, &[]).unwrap();
        assert_eq!(found, Picture { idr: true, coded: true, foreign_sets: true });
        assert!(!picture(&idr, 4, &[vec![0x68, 1], vec![0x67]]).unwrap().foreign_sets);
        assert!(picture(&idr, 4, &[vec![0x68, 1], vec![0x67, 1]]).unwrap().foreign_sets);
        assert!(!picture(&[0, 0, 0, 1, 0x65, 0, 0, 0, 1, 0x41], 4, &[]).unwrap().idr, "half an IDR is none");
        assert!(!picture(&[0, 1, 0x06], 2, &[]).unwrap().coded);
    }

    #[test]
    fn lengths_that_lie_are_errors() {
        for bad in [&[0, 0, 0, 9, 0x65][..], &[0xff, 0xff, 0xff, 0xff, 1], &[0, 0], &[0, 0, 0, 0]] {
            assert!(picture(bad, 4, &[]).is_err(), "{bad:?}");
        }
        assert!(picture(&vec![0; 4 * MAX_NAL_UNITS + 4], 4, &[]).is_err());
        assert!(picture(&[0, 1, 0x41].repeat(MAX_NAL_UNITS + 1), 2, &[]).is_err());
    }
}
