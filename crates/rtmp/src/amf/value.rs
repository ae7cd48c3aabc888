//! One value type for AMF0 and AMF3. Must not know bytes.

/// Named values in the order they were sent. Names may repeat; look-ups find the first.
pub type Properties = Vec<(String, Value)>;

/// An AMF value. Text that is not UTF-8 was decoded with replacement characters.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// AMF0 number; AMF3 integer or double.
    Number(f64),
    /// A boolean.
    Boolean(bool),
    /// AMF0 string or long string; AMF3 string.
    String(String),
    /// An object without a class name.
    Object(Properties),
    /// An object with a class name.
    TypedObject {
        /// Name of the class.
        class: String,
        /// Its members.
        properties: Properties,
    },
    /// An associative array.
    EcmaArray(Properties),
    /// A dense array.
    StrictArray(Vec<Value>),
    /// A point in time.
    Date {
        /// Milliseconds since the Unix epoch.
        unix_ms: f64,
        /// Minutes; reserved, senders write 0.
        time_zone: i16,
    },
    /// An XML document as text.
    Xml(String),
    /// AMF3 byte array. AMF0 cannot carry it: encoded as `unsupported`.
    ByteArray(Vec<u8>),
    /// Index of an object sent before in the same message. Left unresolved: copying referenced objects would let
    /// a short message unfold without bound.
    Reference(u32),
    /// Null.
    Null,
    /// Undefined.
    Undefined,
    /// A value its sender could not serialise.
    Unsupported,
}

impl Value {
    /// The number, if it is one.
    #[must_use]
    pub fn as_number(&self) -> Option<f64> {
        match self {
            Self::Number(number) => Some(*number),
            _ => None,
        }
    }

    /// The text, if it is a string.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text),
            _ => None,
        }
    }

    /// The members of an object, typed object or associative array.
    #[must_use]
    pub fn properties(&self) -> Option<&[(String, Self)]> {
        match self {
            Self::Object(properties) | Self::TypedObject { properties, .. } | Self::EcmaArray(properties) => {
                Some(properties)
            }
            _ => None,
        }
    }

    /// The first member of that name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Self> {
        self.properties()?.iter().find(|(key, _)| key == name).map(|(_, value)| value)
    }

    /// Whether a client means "yes": encoders announce capabilities as `true` or as a number.
    #[must_use]
    pub fn is_truthy(&self) -> bool {
        match self {
            Self::Boolean(yes) => *yes,
            Self::Number(number) => *number != 0.0 && !number.is_nan(),
            _ => false,
        }
    }
}

/// Memory that named values hold, bytes: a member of three bytes on the wire takes some hundred here.
#[must_use]
pub fn footprint(properties: &Properties) -> usize {
    let members: usize = properties.iter().map(|(name, value)| name.capacity() + value.footprint()).sum();
    properties.capacity() * size_of::<(String, Value)>() + members
}

impl Value {
    /// Memory beside the value itself. Values nest only as deep as is decoded.
    fn footprint(&self) -> usize {
        match self {
            Self::String(text) | Self::Xml(text) => text.capacity(),
            Self::Object(properties) | Self::EcmaArray(properties) => footprint(properties),
            Self::TypedObject { class, properties } => class.capacity() + footprint(properties),
            Self::StrictArray(values) => {
                values.capacity() * size_of::<Self>() + values.iter().map(Self::footprint).sum::<usize>()
            }
            Self::ByteArray(bytes) => bytes.capacity(),
            _ => 0,
        }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::String(text.to_owned())
    }
}

impl From<f64> for Value {
    fn from(number: f64) -> Self {
        Self::Number(number)
    }
}
