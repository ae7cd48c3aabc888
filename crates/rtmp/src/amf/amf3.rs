//! AMF3 decoder (AMF3 specification §3), for what command arguments and metadata need.
//!
//! Object and array references stay [`Value::Reference`]; strings and traits are resolved, and what a resolved
//! reference copies is charged to the same text budget as what was sent.

use super::cursor::{AmfError, Cursor};
use super::value::{Properties, Value};

/// Decodes all values of an AMF3 body.
///
/// # Errors
/// When the bytes are not AMF3, use a type commands do not need, or exceed a limit of this module.
pub fn decode(bytes: &[u8]) -> Result<Vec<Value>, AmfError> {
    let mut cursor = Cursor::new(bytes);
    let mut tables = Tables::default();
    let mut values = Vec::new();
    while !cursor.is_empty() {
        values.push(tables.value(&mut cursor)?);
    }
    Ok(values)
}

/// A value after AMF0's avmplus marker. Its reference tables are its own (AMF3 §4.1).
pub(super) fn value_inside_amf0(cursor: &mut Cursor<'_>) -> Result<Value, AmfError> {
    Tables::default().value(cursor)
}

#[derive(Clone)]
struct Traits {
    class: String,
    members: Vec<String>,
    dynamic: bool,
}

#[derive(Default)]
struct Tables {
    strings: Vec<String>,
    traits: Vec<Traits>,
}

impl Tables {
    fn value(&mut self, cursor: &mut Cursor<'_>) -> Result<Value, AmfError> {
        cursor.spend_value()?;
        Ok(match cursor.u8()? {
            0x00 => Value::Undefined,
            0x01 => Value::Null,
            0x02 => Value::Boolean(false),
            0x03 => Value::Boolean(true),
            0x04 => Value::Number(f64::from(signed29(u29(cursor)?))),
            0x05 => Value::Number(cursor.f64()?),
            0x06 => Value::String(self.string(cursor)?),
            0x07 | 0x0B => match header(cursor)? {
                Amf3Header::Reference(index) => Value::Reference(index),
                Amf3Header::Inline(length) => Value::Xml(cursor.text(length)?),
            },
            0x08 => match header(cursor)? {
                Amf3Header::Reference(index) => Value::Reference(index),
                Amf3Header::Inline(_) => Value::Date { unix_ms: cursor.f64()?, time_zone: 0 },
            },
            0x09 => match header(cursor)? {
                Amf3Header::Reference(index) => Value::Reference(index),
                Amf3Header::Inline(dense) => cursor.nested(|cursor| self.array(cursor, dense))?,
            },
            0x0A => match header(cursor)? {
                Amf3Header::Reference(index) => Value::Reference(index),
                Amf3Header::Inline(flags) => cursor.nested(|cursor| self.object(cursor, flags))?,
            },
            0x0C => match header(cursor)? {
                Amf3Header::Reference(index) => Value::Reference(index),
                Amf3Header::Inline(length) => Value::ByteArray(cursor.bytes(length)?.to_vec()),
            },
            0x0D..=0x10 => return Err(AmfError::Amf3("vector")),
            0x11 => return Err(AmfError::Amf3("dictionary")),
            other => return Err(AmfError::Marker(other)),
        })
    }

    fn string(&mut self, cursor: &mut Cursor<'_>) -> Result<String, AmfError> {
        match header(cursor)? {
            Amf3Header::Reference(index) => {
                let text = index_into(&self.strings, index)?;
                cursor.spend_text(text.len())?;
                Ok(text.clone())
            }
            Amf3Header::Inline(length) => {
                let text = cursor.text(length)?;
                // The empty string is never sent by reference (AMF3 §1.3.2).
                if !text.is_empty() {
                    self.strings.push(text.clone());
                }
                Ok(text)
            }
        }
    }

    fn array(&mut self, cursor: &mut Cursor<'_>, dense: usize) -> Result<Value, AmfError> {
        let mut members = self.dynamic_members(cursor)?;
        let mut values = Vec::new();
        for _ in 0..dense {
            values.push(self.value(cursor)?);
        }
        if members.is_empty() {
            return Ok(Value::StrictArray(values));
        }
        members.extend(values.into_iter().enumerate().map(|(index, value)| (index.to_string(), value)));
        Ok(Value::EcmaArray(members))
    }

    fn object(&mut self, cursor: &mut Cursor<'_>, flags: usize) -> Result<Value, AmfError> {
        let traits = self.traits(cursor, flags)?;
        let mut members = Vec::new();
        for name in traits.members {
            members.push((name, self.value(cursor)?));
        }
        if traits.dynamic {
            members.extend(self.dynamic_members(cursor)?);
        }
        Ok(match traits.class {
            class if class.is_empty() => Value::Object(members),
            class => Value::TypedObject { class, properties: members },
        })
    }

    /// `flags`: U29O-traits without its lowest bit.
    fn traits(&mut self, cursor: &mut Cursor<'_>, flags: usize) -> Result<Traits, AmfError> {
        if flags & 1 == 0 {
            let index = u32::try_from(flags >> 1).map_err(|_| AmfError::Truncated)?;
            let traits = index_into(&self.traits, index)?;
            // One byte of input repeats the whole list of names, so their number counts too.
            cursor.spend_text(traits.members.iter().map(|name| name.len() + size_of::<String>()).sum())?;
            return Ok(traits.clone());
        }
        if flags & 2 != 0 {
            return Err(AmfError::Amf3("externalizable object"));
        }
        let class = self.string(cursor)?;
        let mut members = Vec::new();
        for _ in 0..flags >> 3 {
            cursor.spend_value()?;
            members.push(self.string(cursor)?);
        }
        let traits = Traits { class, members, dynamic: flags & 4 != 0 };
        self.traits.push(traits.clone());
        Ok(traits)
    }

    fn dynamic_members(&mut self, cursor: &mut Cursor<'_>) -> Result<Properties, AmfError> {
        let mut members = Vec::new();
        loop {
            let name = self.string(cursor)?;
            if name.is_empty() {
                return Ok(members);
            }
            members.push((name, self.value(cursor)?));
        }
    }
}

enum Amf3Header {
    Reference(u32),
    Inline(usize),
}

fn header(cursor: &mut Cursor<'_>) -> Result<Amf3Header, AmfError> {
    let number = u29(cursor)?;
    if number & 1 == 0 {
        return Ok(Amf3Header::Reference(number >> 1));
    }
    usize::try_from(number >> 1).map(Amf3Header::Inline).map_err(|_| AmfError::Truncated)
}

fn u29(cursor: &mut Cursor<'_>) -> Result<u32, AmfError> {
    let mut number = 0;
    for _ in 0..3 {
        let byte = cursor.u8()?;
        number = number << 7 | u32::from(byte & 0x7F);
        if byte & 0x80 == 0 {
            return Ok(number);
        }
    }
    Ok(number << 8 | u32::from(cursor.u8()?))
}

fn signed29(number: u32) -> i32 {
    (number << 3).cast_signed() >> 3
}

fn index_into<T>(table: &[T], index: u32) -> Result<&T, AmfError> {
    usize::try_from(index).ok().and_then(|at| table.get(at)).ok_or(AmfError::Reference(index))
}
