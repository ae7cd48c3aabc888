//! How the NAL units of a message are told apart: by lengths (ISO 14496-15 §5.3.2) or by start codes (H.264 annex B).

/// Bytes of the first NAL unit in which a start code is looked for: some encoders put a length before an SEI and a start code
/// behind it. SEI and parameter sets have some hundred bytes.
const MAX_LOOKED_AT: usize = 1_024;
/// Bytes of a length as readers of the source link expect it.
pub(super) const LENGTH_SIZE: usize = 4;

/// How a message is framed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Framing {
    /// Each NAL unit behind its length of so many bytes.
    Lengths(usize),
    /// The same, but what stands behind a length is several NAL units with start codes between them.
    Nested(usize),
    /// Each NAL unit behind a start code of three or four bytes.
    StartCodes,
}

impl Framing {
    /// The framing by which all of `data` makes sense, `declared` first. Lengths must add up exactly: a start code read as
    /// a length points beyond the message, or to a NAL unit of one byte with nonsense behind it.
    pub(super) fn of(data: &[u8], declared: usize) -> Option<Self> {
        if adds_up(data, declared) {
            return Some(Self::by_lengths(data, declared));
        }
        if begins_with_start_code(data) {
            return Some(Self::StartCodes);
        }
        // Headers that claim another size than the pictures have are known; the other way round, too much would fit.
        (declared != LENGTH_SIZE && adds_up(data, LENGTH_SIZE)).then_some(Self::Lengths(LENGTH_SIZE))
    }

    fn by_lengths(data: &[u8], size: usize) -> Self {
        // Within a NAL unit no start code can be: emulation prevention is there for that (H.264 7.4.1).
        let first = split(data, size).map_or(&[][..], |(unit, _)| &unit[..unit.len().min(MAX_LOOKED_AT)]);
        if start_code(first).is_some() { Self::Nested(size) } else { Self::Lengths(size) }
    }

    /// The NAL units, empty ones too.
    pub(super) fn units(self, data: &[u8]) -> Units<'_> {
        match self {
            Self::Lengths(size) => Units::Lengths { rest: data, size },
            Self::Nested(size) => Units::Nested { rest: data, size, inner: None },
            Self::StartCodes => Units::StartCodes { rest: behind_start_code(data) },
        }
    }
}

/// See [`Framing::units`].
#[derive(Debug, Clone)]
pub(super) enum Units<'a> {
    Lengths { rest: &'a [u8], size: usize },
    Nested { rest: &'a [u8], size: usize, inner: Option<&'a [u8]> },
    StartCodes { rest: Option<&'a [u8]> },
}

impl<'a> Iterator for Units<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        match self {
            Self::Lengths { rest, size } => {
                let (unit, behind) = split(rest, *size)?;
                *rest = behind;
                Some(unit)
            }
            Self::Nested { rest, size, inner } => {
                if inner.is_none() {
                    let (unit, behind) = split(rest, *size)?;
                    (*rest, *inner) = (behind, Some(unit));
                }
                up_to_start_code(inner)
            }
            Self::StartCodes { rest } => up_to_start_code(rest),
        }
    }
}

/// The NAL unit up to the next start code; `rest` is what stands behind that.
fn up_to_start_code<'a>(rest: &mut Option<&'a [u8]>) -> Option<&'a [u8]> {
    let data = (*rest)?;
    let end = start_code(data).unwrap_or(data.len());
    *rest = behind_start_code(data);
    // Zeros before a start code are its fourth byte, or padding: no NAL unit ends with one.
    let used = data[..end].iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    Some(&data[..used])
}

fn split(data: &[u8], size: usize) -> Option<(&[u8], &[u8])> {
    let (length, rest) = data.split_at_checked(size)?;
    let length = length.iter().fold(0, |length, &byte| length << 8 | usize::from(byte));
    rest.split_at_checked(length)
}

/// Whether lengths of `size` bytes lead to the end. Zeros too few for a length are padding.
fn adds_up(mut data: &[u8], size: usize) -> bool {
    while let Some((_, rest)) = split(data, size) {
        data = rest;
    }
    data.len() < size && data.iter().all(|byte| *byte == 0)
}

fn begins_with_start_code(data: &[u8]) -> bool {
    // Some put more zeros before the first one (leading_zero_8bits).
    let zeros = data.iter().take_while(|byte| **byte == 0).count();
    zeros >= 2 && data.get(zeros) == Some(&1)
}

/// Where the next `00 00 01` is.
fn start_code(data: &[u8]) -> Option<usize> {
    let mut at = 2;
    while let Some(&byte) = data.get(at) {
        match byte {
            0 => at += 1,
            1 if data[at - 1] == 0 && data[at - 2] == 0 => return Some(at - 2),
            // No start code ends within the next two bytes: it would have a zero here.
            _ => at += 3,
        }
    }
    None
}

fn behind_start_code(data: &[u8]) -> Option<&[u8]> {
    start_code(data).map(|at| &data[at + 3..])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(data: &[u8], declared: usize) -> Option<(Framing, Vec<&[u8]>)> {
        Framing::of(data, declared).map(|framing| (framing, framing.units(data).collect()))
    }

    #[test]
    fn lengths_of_every_size_are_read() {
        for size in 1..=4_usize {
            let mut data = Vec::new();
            for unit in [&b"abc"[..], b"", b"d"] {
                data.extend_from_slice(&(unit.len() as u32).to_be_bytes()[4 - size..]);
                data.extend_from_slice(unit);
            }
            let units: Vec<&[u8]> = vec![b"abc", b"", b"d"];
            assert_eq!(read(&data, size), Some((Framing::Lengths(size), units)));
        }
    }

    #[test]
    fn start_codes_of_three_and_four_bytes_are_read() {
        let units: Vec<&[u8]> = vec![b"\x09\xf0", b"\x65\0\0\x03\x01", b"\x06"];
        let data = b"\0\0\0\x01\x09\xf0\0\0\x01\x65\0\0\x03\x01\0\0\0\x01\x06\0\0";
        assert_eq!(read(data, 4), Some((Framing::StartCodes, units.clone())));
        assert_eq!(read(&data[1..], 4), Some((Framing::StartCodes, units)));
    }

    #[test]
    fn start_codes_behind_a_length_are_read() {
        let data = b"\0\0\0\x0b\x06\x05\0\0\0\x01\x65\0\0\x01\x41\0\0\0\x02\x41\x9a";
        let units: Vec<&[u8]> = vec![b"\x06\x05", b"\x65", b"\x41", b"\x41\x9a"];
        assert_eq!(read(data, 4), Some((Framing::Nested(4), units)));
    }

    #[test]
    fn a_length_that_looks_like_a_start_code_is_a_length() {
        let end_of_sequence = b"\0\0\0\x01\x0a";
        assert_eq!(read(end_of_sequence, 4), Some((Framing::Lengths(4), vec![&b"\x0a"[..]])));
        let mut long = vec![0, 0, 1, 0x10];
        long.resize(4 + 0x110, 0x41);
        assert_eq!(Framing::of(&long, 4), Some(Framing::Lengths(4)));
    }

    #[test]
    fn padding_is_no_unit_and_what_is_cut_short_is_not_framed() {
        assert_eq!(read(b"\0\0\0\x01\x41\0\0", 4).unwrap().1, [b"\x41"]);
        assert_eq!(read(b"\0\0\0\x05\x41\x02", 4), None);
        assert_eq!(read(b"\0\0\0\x01\x41\0\x01", 4).map(|(framing, _)| framing), Some(Framing::StartCodes));
    }

    #[test]
    fn a_header_may_be_wrong_about_the_size() {
        let long = [&b"\0\x01\0\x02\x41"[..], &[0x5A; 0x1_0001]].concat();
        assert_eq!(Framing::of(&long, 2), Some(Framing::Lengths(4)));
    }
}
