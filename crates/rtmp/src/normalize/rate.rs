//! An AudioSpecificConfig that spells its rate out although the rate has a number (ISO 14496-3 §1.6.2.1, index 15): many
//! decoders, libavcodec among them, know numbers alone.

use super::adts::RATES;

/// Bits of `audioObjectType` and of `samplingFrequencyIndex`.
const OBJECT_BITS: usize = 5;
const INDEX_BITS: usize = 4;
/// Bits of a rate that is spelled out.
const RATE_BITS: usize = 24;
/// The index that says that the rate follows.
const ESCAPE: u32 = 15;
/// The object type that says that six more bits of it follow; none of those is taken here.
const LONG_OBJECT: u32 = 31;

/// The same configuration with the number of its rate; `None` if it has it already, or the rate has none.
pub(super) fn numbered(config: &[u8]) -> Option<Vec<u8>> {
    let (object, index) = (bits(config, 0, OBJECT_BITS)?, bits(config, OBJECT_BITS, INDEX_BITS)?);
    if object == LONG_OBJECT || index != ESCAPE {
        return None;
    }
    let rest = OBJECT_BITS + INDEX_BITS + RATE_BITS;
    let rate = bits(config, OBJECT_BITS + INDEX_BITS, RATE_BITS)?;
    let number = RATES.iter().position(|known| *known == rate)? as u32;
    let head = object << INDEX_BITS | number;
    let mut out = vec![0; (config.len() * 8 - RATE_BITS).div_ceil(8)];
    let mut put = |at: usize, bit: u32| out[at / 8] |= (bit as u8) << (7 - at % 8);
    let head_bits = OBJECT_BITS + INDEX_BITS;
    (0..head_bits).for_each(|at| put(at, head >> (head_bits - 1 - at) & 1));
    for at in rest..config.len() * 8 {
        put(at - RATE_BITS, bits(config, at, 1)?);
    }
    Some(out)
}

fn bits(bytes: &[u8], at: usize, count: usize) -> Option<u32> {
    (at..at + count).try_fold(0, |value, at| {
        let bit = bytes.get(at / 8)? >> (7 - at % 8) & 1;
        Some(value << 1 | u32::from(bit))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_with_a_number_gets_it() {
        // AAC-LC, 48000 Hz spelled out, stereo.
        let spelled = [0x17, 0x80, 0x5d, 0xc0, 0x10];
        assert_eq!(numbered(&spelled).unwrap(), [0x11, 0x90]);
        // What follows stays behind it (a sync extension).
        let longer = numbered(&[&spelled[..], &[0x56, 0xe5, 0x80]].concat()).unwrap();
        assert_eq!(longer, [0x11, 0x90, 0x56, 0xe5, 0x80]);
    }

    #[test]
    fn other_audio_configurations_are_left_alone() {
        // A number already; 50 kHz; cut short; nothing.
        let others: [&[u8]; 4] = [&[0x11, 0x90], &[0x17, 0x80, 0x61, 0xa8, 0x10], &[0x17, 0x80, 0x5d], &[]];
        for other in others {
            assert_eq!(numbered(other), None, "{other:?}");
        }
    }
}
