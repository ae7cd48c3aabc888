//! Writes EBML elements (RFC 8794): what Matroska is made of.

/// Content length of an element whose end is not known (RFC 8794 §6.2), in eight bytes.
const UNKNOWN_SIZE: [u8; 8] = [0x01, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff];

fn id(out: &mut Vec<u8>, id: u32) {
    // An id carries its own length marker: leading zero bytes are not part of it.
    out.extend(id.to_be_bytes().into_iter().skip_while(|byte| *byte == 0));
}

fn size(out: &mut Vec<u8>, size: u64) {
    // In n bytes 7n bits are left, and all ones would mean "unknown".
    let bytes = (1..8).find(|bytes| size < (1 << (7 * bytes)) - 1).unwrap_or(8);
    let marked = size | 1 << (7 * bytes);
    out.extend_from_slice(&marked.to_be_bytes()[8 - bytes..]);
}

/// An element and what it holds.
pub(super) fn binary(out: &mut Vec<u8>, element: u32, content: &[u8]) {
    open(out, element, content.len() as u64);
    out.extend_from_slice(content);
}

/// An element of whose content `length` bytes are to follow.
pub(crate) fn open(out: &mut Vec<u8>, element: u32, length: u64) {
    id(out, element);
    size(out, length);
}

/// An element that lasts to the end of the stream.
pub(super) fn endless(out: &mut Vec<u8>, element: u32) {
    id(out, element);
    out.extend_from_slice(&UNKNOWN_SIZE);
}

/// A whole number.
pub(crate) fn number(out: &mut Vec<u8>, element: u32, value: u64) {
    let bytes = value.to_be_bytes();
    let zeros = bytes.iter().take(7).take_while(|byte| **byte == 0).count();
    binary(out, element, &bytes[zeros..]);
}

/// Characters.
pub(crate) fn text(out: &mut Vec<u8>, element: u32, value: &str) {
    binary(out, element, value.as_bytes());
}

/// Other elements.
pub(super) fn master(out: &mut Vec<u8>, element: u32, fill: impl FnOnce(&mut Vec<u8>)) {
    let mut content = Vec::new();
    fill(&mut content);
    binary(out, element, &content);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sized(length: u64) -> Vec<u8> {
        let mut out = Vec::new();
        size(&mut out, length);
        out
    }

    #[test]
    fn sizes_take_as_many_bytes_as_they_need() {
        assert_eq!(sized(0), [0x80]);
        assert_eq!(sized(126), [0xfe]);
        assert_eq!(sized(127), [0x40, 127], "0xff would mean unknown");
        assert_eq!(sized(0x3ffe), [0x7f, 0xfe]);
        assert_eq!(sized(0x3fff), [0x20, 0x3f, 0xff]);
        assert_eq!(sized(0xff_ffff), [0x10, 0xff, 0xff, 0xff]);
        assert_eq!(sized(1 << 50), [1, 4, 0, 0, 0, 0, 0, 0]);
    }

    #[test]
    fn elements_nest() {
        let mut out = Vec::new();
        master(&mut out, 0x1a45_dfa3, |out| {
            number(out, 0x4286, 1);
            number(out, 0xe7, 0x0100);
            text(out, 0x4282, "webm");
        });
        assert_eq!(out, b"\x1a\x45\xdf\xa3\x8f\x42\x86\x81\x01\xe7\x82\x01\x00\x42\x82\x84webm");
    }
}
