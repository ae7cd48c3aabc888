//! The picture's size, from the sequence parameter set (ITU-T H.264 §7.3.2.1.1).

use super::Bits;

/// What is read of a sequence parameter set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sps {
    pub(crate) profile: u8,
    pub(crate) constraints: u8,
    pub(crate) level: u8,
    pub(crate) width: u32,
    pub(crate) height: u32,
}

/// Profiles whose sets tell the chroma format.
const WITH_CHROMA: [u8; 13] = [100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135];

/// Reads a NAL unit of type 7; `None` if it is none.
pub(crate) fn sps(unit: &[u8]) -> Option<Sps> {
    let [header, profile, constraints, level, ..] = *unit else { return None };
    if header & 31 != 7 {
        return None;
    }
    let payload = unescape(&unit[4..]);
    let mut bits = Bits::new(&payload);
    bits.unsigned()?;
    let mut chroma = 1;
    if WITH_CHROMA.contains(&profile) {
        chroma = bits.unsigned()?;
        if chroma == 3 {
            bits.take(1)?;
        }
        bits.unsigned()?;
        bits.unsigned()?;
        bits.take(1)?;
        if bits.take(1)? == 1 {
            for list in 0..if chroma == 3 { 12 } else { 8 } {
                if bits.take(1)? == 1 {
                    scaling_list(&mut bits, if list < 6 { 16 } else { 64 })?;
                }
            }
        }
    }
    bits.unsigned()?;
    match bits.unsigned()? {
        0 => drop(bits.unsigned()?),
        1 => {
            bits.take(1)?;
            bits.signed()?;
            bits.signed()?;
            for _ in 0..bits.unsigned()?.min(255) {
                bits.signed()?;
            }
        }
        _ => {}
    }
    bits.unsigned()?;
    bits.take(1)?;
    let width = bits.unsigned()?.checked_add(1)?.checked_mul(16)?;
    let units = bits.unsigned()?.checked_add(1)?;
    let fields = bits.take(1)? == 0;
    if fields {
        bits.take(1)?;
    }
    bits.take(1)?;
    let height = units.checked_mul(16)?.checked_mul(if fields { 2 } else { 1 })?;
    let mut crop = [0; 4];
    if bits.take(1)? == 1 {
        for side in &mut crop {
            *side = bits.unsigned()?;
        }
    }
    let [left, right, top, bottom] = crop;
    let across = if matches!(chroma, 1 | 2) { 2 } else { 1 };
    let down = if chroma == 1 { 2 } else { 1 } * if fields { 2 } else { 1 };
    let width = width.checked_sub(left.checked_add(right)?.checked_mul(across)?)?;
    let height = height.checked_sub(top.checked_add(bottom)?.checked_mul(down)?)?;
    Some(Sps { profile, constraints, level, width, height })
}

/// Takes emulation prevention bytes out (§7.4.1.1).
fn unescape(bytes: &[u8]) -> Vec<u8> {
    let (mut out, mut zeros) = (Vec::with_capacity(bytes.len()), 0);
    for byte in bytes {
        if *byte == 3 && zeros >= 2 {
            zeros = 0;
            continue;
        }
        zeros = if *byte == 0 { zeros + 1 } else { 0 };
        out.push(*byte);
    }
    out
}

/// §7.3.2.1.1.1.
fn scaling_list(bits: &mut Bits<'_>, size: u32) -> Option<()> {
    let (mut last, mut next) = (8i64, 8i64);
    for _ in 0..size {
        if next != 0 {
            next = (last + bits.signed()?).rem_euclid(256);
        }
        last = if next == 0 { last } else { next };
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// x264's for 320x180, High, 25 frames a second; and the same with its end cut off.
    const SET: [u8; 25] = [
        0x67, 0x64, 0x00, 0x0c, 0xac, 0xd9, 0x41, 0x41, 0x9f, 0x9e, 0x10, 0x00, 0x00, 0x03, 0x00, 0x10, 0x00,
        0x00, 0x03, 0x03, 0x20, 0xf1, 0x42, 0x99, 0x60,
    ];

    #[test]
    fn the_size_is_what_is_shown() {
        let found = sps(&SET).unwrap();
        assert_eq!((found.width, found.height), (320, 180));
        assert_eq!((found.profile, found.level), (100, 12));
    }

    #[test]
    fn no_cut_or_noise_panics() {
        for end in 0..SET.len() {
            let _ = sps(&SET[..end]);
        }
        for byte in 0..SET.len() {
            for value in [0, 1, 0x7f, 0xff] {
                let mut set = SET;
                set[byte] = value;
                let _ = sps(&set);
            }
        }
    }
}
