//! H.264 whose pictures are frames or pairs of fields (PAFF), which no encoder at hand makes: intra pictures of samples as
//! they are (`I_PCM`), of the same 16 columns as a [`clip`](super::clip).

use super::bits::Bits;
use super::clip::BITS;
use super::message::{Message, VIDEO};

/// Columns of 12 samples; the height is cropped from 128, for field macroblocks come in pairs.
pub const WIDTH: usize = 192;
pub const HEIGHT: usize = 108;
/// Macroblocks of a frame.
const COLUMNS: usize = WIDTH / 16;
const ROWS: usize = 8;
/// Pictures from one IDR to the next, and milliseconds of each.
const GROUP: usize = 25;
const STEP: u32 = 40;

/// How a picture is coded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coding {
    Frame,
    /// Both fields in one message.
    Pair,
    /// Each field in a message of its own, the second so many milliseconds later.
    Apart(u32),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Structure {
    Frame,
    Top,
    Bottom,
}

/// 25 pictures a second, each coded as `coding` says of its number.
pub fn film(pictures: usize, coding: impl Fn(usize) -> Coding) -> Vec<Message> {
    let mut all = vec![Message::new(VIDEO, 0, header())];
    for number in 0..pictures {
        let (key, time) = (number.is_multiple_of(GROUP), number as u32 * STEP);
        let message = |after: u32, units: &[Vec<u8>]| {
            let mut body = vec![if key { 0x17 } else { 0x27 }, 1, 0, 0, 0];
            for unit in units {
                body.extend_from_slice(&(unit.len() as u32).to_be_bytes());
                body.extend_from_slice(unit);
            }
            Message::new(VIDEO, time + after, body)
        };
        let unit = |structure| slice(number, structure);
        match coding(number) {
            Coding::Frame => all.push(message(0, &[unit(Structure::Frame)])),
            Coding::Pair => all.push(message(0, &[unit(Structure::Top), unit(Structure::Bottom)])),
            Coding::Apart(millis) => {
                all.push(message(0, &[unit(Structure::Top)]));
                all.push(message(millis, &[unit(Structure::Bottom)]));
            }
        }
    }
    all
}

fn header() -> Vec<u8> {
    let mut body = vec![0x17, 0, 0, 0, 0, 1, 77, 0, 40, 0xff, 0xe1];
    for (set, count) in [(sps(), &[][..]), (pps(), &[1][..])] {
        body.extend_from_slice(count);
        body.extend_from_slice(&(set.len() as u16).to_be_bytes());
        body.extend_from_slice(&set);
    }
    body
}

/// H.264 7.3.2.1.1.
fn sps() -> Vec<u8> {
    let bits = Bits::default().put(8, 77).put(8, 0).put(8, 40).ue(0);
    // Eight bits of frame_num, sixteen of picture order, one reference.
    let bits = bits.ue(4).ue(0).ue(12).ue(1).put(1, 0);
    // frame_mbs_only_flag 0, no MBAFF, direct_8x8_inference_flag.
    let bits = bits.ue(COLUMNS as u32 - 1).ue(ROWS as u32 / 2 - 1).put(3, 0b001);
    let cropped = (ROWS * 16 - HEIGHT) as u32 / 4;
    let bits = bits.put(1, 1).ue(0).ue(0).ue(0).ue(cropped);
    // VUI: nothing but bitstream_restriction, that no picture is reordered.
    let bits = bits.put(1, 1).put(4, 0).put(4, 0).put(1, 1).put(1, 1);
    unit(0x67, bits.ue(0).ue(0).ue(10).ue(10).ue(0).ue(1).put(1, 1))
}

/// H.264 7.3.2.2: CAVLC, with deblocking_filter_control_present_flag.
fn pps() -> Vec<u8> {
    let bits = Bits::default().ue(0).ue(0).put(2, 0).ue(0).ue(0).ue(0).put(3, 0);
    unit(0x68, bits.ue(0).ue(0).ue(0).put(3, 0b100).put(1, 1))
}

/// H.264 7.3.3: a whole picture, or field.
fn slice(number: usize, structure: Structure) -> Vec<u8> {
    let place = (number % GROUP) as u32;
    let is_idr = place == 0 && structure != Structure::Bottom;
    let bits = Bits::default().ue(0).ue(7).ue(0).put(8, place);
    let bits = match structure {
        Structure::Frame => bits.put(1, 0),
        Structure::Top => bits.put(2, 0b10),
        Structure::Bottom => bits.put(2, 0b11),
    };
    let bits = if is_idr { bits.ue((number / GROUP) as u32 % 2) } else { bits };
    let bits = bits.put(16, place * 2 + u32::from(structure == Structure::Bottom));
    let bits = if is_idr { bits.put(2, 0) } else { bits.put(1, 0) };
    // No change of the quantizer, no deblocking.
    let mut bits = bits.ue(0).ue(1);
    let rows = if structure == Structure::Frame { ROWS } else { ROWS / 2 };
    for block in 0..COLUMNS * rows {
        let left = block % COLUMNS * 16;
        bits = bits.ue(25).aligned();
        for x in (0..16).cycle().take(256) {
            let bit = number >> ((left + x) / (WIDTH / BITS)) & 1;
            bits = bits.put(8, if bit == 1 { 235 } else { 16 });
        }
        for _ in 0..128 {
            bits = bits.put(8, 128);
        }
    }
    unit(if is_idr { 0x65 } else { 0x61 }, bits.put(1, 1))
}

/// A NAL unit (H.264 7.4.1.1: emulation prevention).
fn unit(head: u8, payload: Bits) -> Vec<u8> {
    let (mut unit, mut zeros) = (vec![head], 0);
    for byte in payload.bytes() {
        if zeros == 2 && byte <= 3 {
            unit.push(3);
            zeros = 0;
        }
        zeros = if byte == 0 { zeros + 1 } else { 0 };
        unit.push(byte);
    }
    unit
}
