//! Action Message Format: the values commands and metadata are made of.
//!
//! AMF0 is decoded and encoded; AMF3 is decoded, since clients that ask for object encoding 3 put it into commands.
//! Both decode to [`Value`]. Nothing here knows messages or sessions.

mod amf0;
mod amf3;
mod cursor;
mod encode;
mod value;

pub use amf0::decode;
pub use amf3::decode as decode_amf3;
pub use cursor::{AmfError, MAX_DEPTH, MAX_STRING_BYTES, MAX_VALUES};
pub use encode::{encode, encode_name, encode_value};
pub use value::{Properties, Value, footprint};
