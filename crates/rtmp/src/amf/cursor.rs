//! Bounded reading for both AMF decoders: every byte, value, nesting level and byte of text is accounted for here.

/// Nesting levels. Encoders use two (metadata with keyframe lists: three); more only serves to exhaust the stack.
pub const MAX_DEPTH: usize = 16;
/// Values in one message, members included. The largest seen from an encoder is 40; a null takes one byte on the
/// wire and about 56 in memory, so the number bounds memory.
pub const MAX_VALUES: usize = 4_096;
/// Bytes of text and byte arrays in one message after references are followed: AMF3 may name one long string often.
pub const MAX_STRING_BYTES: usize = 1 << 20;

/// Why AMF bytes could not be decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AmfError {
    /// The bytes end inside a value.
    #[error("amf value is cut short")]
    Truncated,
    /// A marker that no specification defines, or that is reserved (movie clip, record set).
    #[error("amf marker {0:#04x} is not supported")]
    Marker(u8),
    /// An AMF3 type that commands do not need (externalizable object, vector, dictionary).
    #[error("amf3 {0} is not supported")]
    Amf3(&'static str),
    /// An AMF3 string or traits reference to nothing.
    #[error("amf3 reference {0} points at nothing")]
    Reference(u32),
    /// More than [`MAX_DEPTH`] levels.
    #[error("amf nested deeper than {MAX_DEPTH} levels")]
    Depth,
    /// More than [`MAX_VALUES`] values.
    #[error("amf message of more than {MAX_VALUES} values")]
    Values,
    /// More than [`MAX_STRING_BYTES`] bytes of text.
    #[error("amf message of more than {MAX_STRING_BYTES} bytes of text")]
    StringBytes,
}

pub(super) struct Cursor<'a> {
    rest: &'a [u8],
    depth: usize,
    values_left: usize,
    string_bytes_left: usize,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes, depth: 0, values_left: MAX_VALUES, string_bytes_left: MAX_STRING_BYTES }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    pub(super) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    pub(super) fn take(&mut self, count: usize) -> Result<&'a [u8], AmfError> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or(AmfError::Truncated)?;
        self.rest = rest;
        Ok(taken)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], AmfError> {
        let (taken, rest) = self.rest.split_first_chunk::<N>().ok_or(AmfError::Truncated)?;
        self.rest = rest;
        Ok(*taken)
    }

    pub(super) fn u8(&mut self) -> Result<u8, AmfError> {
        self.array::<1>().map(|[byte]| byte)
    }

    pub(super) fn u16(&mut self) -> Result<u16, AmfError> {
        self.array().map(u16::from_be_bytes)
    }

    pub(super) fn u32(&mut self) -> Result<u32, AmfError> {
        self.array().map(u32::from_be_bytes)
    }

    pub(super) fn f64(&mut self) -> Result<f64, AmfError> {
        self.array().map(f64::from_be_bytes)
    }

    pub(super) fn bytes(&mut self, count: usize) -> Result<&'a [u8], AmfError> {
        let taken = self.take(count)?;
        self.spend_text(count)?;
        Ok(taken)
    }

    pub(super) fn text(&mut self, count: usize) -> Result<String, AmfError> {
        self.bytes(count).map(|bytes| String::from_utf8_lossy(bytes).into_owned())
    }

    pub(super) fn spend_text(&mut self, count: usize) -> Result<(), AmfError> {
        self.string_bytes_left = self.string_bytes_left.checked_sub(count).ok_or(AmfError::StringBytes)?;
        Ok(())
    }

    pub(super) fn spend_value(&mut self) -> Result<(), AmfError> {
        self.values_left = self.values_left.checked_sub(1).ok_or(AmfError::Values)?;
        Ok(())
    }

    pub(super) fn nested<T>(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<T, AmfError>,
    ) -> Result<T, AmfError> {
        if self.depth == MAX_DEPTH {
            return Err(AmfError::Depth);
        }
        self.depth += 1;
        let value = read(self);
        self.depth -= 1;
        value
    }
}
