//! AMF0 decoder (AMF0 specification §2).

use super::amf3;
use super::cursor::{AmfError, Cursor};
use super::value::{Properties, Value};

pub(super) mod marker {
    pub(crate) const NUMBER: u8 = 0x00;
    pub(crate) const BOOLEAN: u8 = 0x01;
    pub(crate) const STRING: u8 = 0x02;
    pub(crate) const OBJECT: u8 = 0x03;
    pub(crate) const NULL: u8 = 0x05;
    pub(crate) const UNDEFINED: u8 = 0x06;
    pub(crate) const REFERENCE: u8 = 0x07;
    pub(crate) const ECMA_ARRAY: u8 = 0x08;
    pub(crate) const OBJECT_END: u8 = 0x09;
    pub(crate) const STRICT_ARRAY: u8 = 0x0A;
    pub(crate) const DATE: u8 = 0x0B;
    pub(crate) const LONG_STRING: u8 = 0x0C;
    pub(crate) const UNSUPPORTED: u8 = 0x0D;
    pub(crate) const XML: u8 = 0x0F;
    pub(crate) const TYPED_OBJECT: u8 = 0x10;
    pub(crate) const AVMPLUS: u8 = 0x11;
}

/// Decodes all values of a message body.
///
/// # Errors
/// When the bytes are not AMF0 or exceed a limit of this module.
pub fn decode(bytes: &[u8]) -> Result<Vec<Value>, AmfError> {
    let mut cursor = Cursor::new(bytes);
    let mut values = Vec::new();
    while !cursor.is_empty() {
        values.push(value(&mut cursor)?);
    }
    Ok(values)
}

fn value(cursor: &mut Cursor<'_>) -> Result<Value, AmfError> {
    cursor.spend_value()?;
    Ok(match cursor.u8()? {
        marker::NUMBER => Value::Number(cursor.f64()?),
        marker::BOOLEAN => Value::Boolean(cursor.u8()? != 0),
        marker::STRING => Value::String(short_text(cursor)?),
        marker::OBJECT => Value::Object(cursor.nested(|cursor| properties(cursor, EndMarker::Required))?),
        marker::NULL => Value::Null,
        marker::UNDEFINED => Value::Undefined,
        marker::REFERENCE => Value::Reference(cursor.u16()?.into()),
        marker::ECMA_ARRAY => {
            // The count is a hint that encoders get wrong (librtmp's is 0, GStreamer's lags): the end marker rules.
            let _count = cursor.u32()?;
            Value::EcmaArray(cursor.nested(|cursor| properties(cursor, EndMarker::OrEndOfMessage))?)
        }
        marker::STRICT_ARRAY => {
            let count = cursor.u32()?;
            Value::StrictArray(cursor.nested(|cursor| elements(cursor, count))?)
        }
        marker::DATE => {
            Value::Date { unix_ms: cursor.f64()?, time_zone: i16::from_be_bytes(cursor.array()?) }
        }
        marker::LONG_STRING => Value::String(long_text(cursor)?),
        marker::UNSUPPORTED => Value::Unsupported,
        marker::XML => Value::Xml(long_text(cursor)?),
        marker::TYPED_OBJECT => Value::TypedObject {
            class: short_text(cursor)?,
            properties: cursor.nested(|cursor| properties(cursor, EndMarker::Required))?,
        },
        marker::AVMPLUS => amf3::value_inside_amf0(cursor)?,
        other => return Err(AmfError::Marker(other)),
    })
}

fn short_text(cursor: &mut Cursor<'_>) -> Result<String, AmfError> {
    let length = cursor.u16()?;
    cursor.text(length.into())
}

fn long_text(cursor: &mut Cursor<'_>) -> Result<String, AmfError> {
    let length = usize::try_from(cursor.u32()?).map_err(|_| AmfError::Truncated)?;
    cursor.text(length)
}

fn elements(cursor: &mut Cursor<'_>, count: u32) -> Result<Vec<Value>, AmfError> {
    // No capacity from `count`: it is the sender's word. The cursor ends first if it lies.
    let mut values = Vec::new();
    for _ in 0..count {
        values.push(value(cursor)?);
    }
    Ok(values)
}

#[derive(PartialEq)]
enum EndMarker {
    Required,
    /// Some hardware encoders end metadata without the marker.
    OrEndOfMessage,
}

fn properties(cursor: &mut Cursor<'_>, end: EndMarker) -> Result<Properties, AmfError> {
    let mut members = Vec::new();
    loop {
        if end == EndMarker::OrEndOfMessage && cursor.is_empty() {
            return Ok(members);
        }
        let name = short_text(cursor)?;
        if name.is_empty() && cursor.rest().first() == Some(&marker::OBJECT_END) {
            cursor.u8()?;
            return Ok(members);
        }
        members.push((name, value(cursor)?));
    }
}
