//! What an H.264 access unit in AVCC form begins with. Pure; knows lengths of four bytes only, as every encoder writes.

use headwater_rtmp::codec::NalUnits;

/// ITU-T H.264 table 7-1.
const SLICE: u8 = 1;
const PARTITION_A: u8 = 2;
const IDR_SLICE: u8 = 5;
const SEQUENCE_SET: u8 = 7;
const PICTURE_SET: u8 = 8;

/// What a packet is to a rendition that copies it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AccessUnit {
    /// Decoding can begin here, and nothing before it is shown after it.
    Idr,
    /// A picture that needs others.
    Picture,
    /// No picture, or not what it should be.
    Strange,
}

/// The parameter sets in a packet.
pub(super) fn parameter_sets(packet: &[u8]) -> impl Iterator<Item = &[u8]> {
    NalUnits::new(packet, 4)
        .filter(|unit| unit.first().is_some_and(|head| matches!(head & 0x1f, SEQUENCE_SET | PICTURE_SET)))
}

/// Classifies a packet by its first slice.
pub(super) fn classify(packet: &[u8]) -> AccessUnit {
    let mut rest = packet;
    let mut found = AccessUnit::Strange;
    while !rest.is_empty() {
        let Some((length, payload)) = rest.split_first_chunk::<4>() else { return AccessUnit::Strange };
        let length = u32::from_be_bytes(*length) as usize;
        let Some((unit, behind)) = payload.split_at_checked(length) else { return AccessUnit::Strange };
        rest = behind;
        let Some(kind) = unit.first().map(|head| head & 0x1f) else { continue };
        match (kind, found) {
            (IDR_SLICE, AccessUnit::Strange) => found = AccessUnit::Idr,
            (SLICE | PARTITION_A, AccessUnit::Strange) => found = AccessUnit::Picture,
            // Slices of both kinds are no access unit.
            (IDR_SLICE, AccessUnit::Picture) | (SLICE, AccessUnit::Idr) => return AccessUnit::Strange,
            _ => {}
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(units: &[&[u8]]) -> Vec<u8> {
        units.iter().flat_map(|unit| [&(unit.len() as u32).to_be_bytes(), *unit].concat()).collect()
    }

    #[test]
    fn an_access_unit_is_classified_by_its_slices() {
        assert_eq!(classify(&packet(&[&[6, 1], &[0x65, 1], &[0x65, 2]])), AccessUnit::Idr);
        assert_eq!(classify(&packet(&[&[9, 1], &[0x41, 1]])), AccessUnit::Picture);
        assert_eq!(classify(&packet(&[&[0x65, 1], &[0x41, 1]])), AccessUnit::Strange);
        assert_eq!(classify(&packet(&[&[6, 1]])), AccessUnit::Strange);
    }

    #[test]
    fn parameter_sets_are_found() {
        let packet = packet(&[&[6, 1], &[0x67, 1], &[0x68, 2], &[0x65, 1]]);
        assert!(parameter_sets(&packet).eq([&[0x67, 1], &[0x68, 2]]));
    }

    #[test]
    fn what_is_cut_short_or_framed_otherwise_is_strange() {
        let whole = packet(&[&[0x65, 1, 2, 3]]);
        for end in 0..whole.len() {
            assert_eq!(classify(&whole[..end]), AccessUnit::Strange, "{end}");
        }
        assert_eq!(classify(b"\0\0\0\x01\x65\x88\x84"), AccessUnit::Strange);
    }
}
