//! AMF0 encoder.

use bytes::{BufMut, Bytes, BytesMut};

use super::amf0::marker;
use super::value::{Properties, Value};

/// Longest name or short string: its length is a 16-bit number. Longer names are cut, longer strings sent as long
/// strings.
const MAX_SHORT_TEXT: usize = u16::MAX as usize;

/// Encodes values one after the other.
#[must_use]
pub fn encode(values: &[Value]) -> Bytes {
    let mut out = BytesMut::new();
    for value in values {
        encode_value(&mut out, value);
    }
    out.freeze()
}

/// Appends one value.
pub fn encode_value(out: &mut BytesMut, value: &Value) {
    match value {
        Value::Number(number) => {
            out.put_u8(marker::NUMBER);
            out.put_f64(*number);
        }
        Value::Boolean(yes) => out.put_slice(&[marker::BOOLEAN, u8::from(*yes)]),
        Value::String(text) if text.len() <= MAX_SHORT_TEXT => {
            out.put_u8(marker::STRING);
            encode_name(out, text);
        }
        Value::String(text) => long_text(out, marker::LONG_STRING, text),
        Value::Object(properties) => {
            out.put_u8(marker::OBJECT);
            members(out, properties);
        }
        Value::TypedObject { class, properties } => {
            out.put_u8(marker::TYPED_OBJECT);
            encode_name(out, class);
            members(out, properties);
        }
        Value::EcmaArray(properties) => {
            out.put_u8(marker::ECMA_ARRAY);
            out.put_u32(saturating_u32(properties.len()));
            members(out, properties);
        }
        Value::StrictArray(values) => {
            out.put_u8(marker::STRICT_ARRAY);
            out.put_u32(saturating_u32(values.len()));
            for value in values {
                encode_value(out, value);
            }
        }
        Value::Date { unix_ms, time_zone } => {
            out.put_u8(marker::DATE);
            out.put_f64(*unix_ms);
            out.put_i16(*time_zone);
        }
        Value::Xml(text) => long_text(out, marker::XML, text),
        Value::Reference(index) => match u16::try_from(*index) {
            Ok(index) => {
                out.put_u8(marker::REFERENCE);
                out.put_u16(index);
            }
            Err(_) => out.put_u8(marker::UNSUPPORTED),
        },
        Value::Null => out.put_u8(marker::NULL),
        Value::Undefined => out.put_u8(marker::UNDEFINED),
        Value::ByteArray(_) | Value::Unsupported => out.put_u8(marker::UNSUPPORTED),
    }
}

/// Appends text with a 16-bit length and no marker, cut at a character boundary if it is too long.
pub fn encode_name(out: &mut BytesMut, name: &str) {
    let name = &name[..name.floor_char_boundary(MAX_SHORT_TEXT)];
    out.put_u16(u16::try_from(name.len()).expect("cut to 16 bits of length"));
    out.put_slice(name.as_bytes());
}

fn members(out: &mut BytesMut, properties: &Properties) {
    for (name, value) in properties {
        encode_name(out, name);
        encode_value(out, value);
    }
    out.put_slice(&[0, 0, marker::OBJECT_END]);
}

fn long_text(out: &mut BytesMut, marker: u8, text: &str) {
    out.put_u8(marker);
    out.put_u32(saturating_u32(text.len()));
    out.put_slice(text.as_bytes());
}

fn saturating_u32(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}
