//! What is stored in buckets before an entry names it.

use bytes::Bytes;

/// One object to store.
#[derive(Debug, Clone)]
pub struct Object {
    /// URL path at the edge, and object key in both buckets.
    pub path: String,
    /// `video/mp4` or `audio/mp4`.
    pub content_type: &'static str,
    /// Its bytes.
    pub body: Bytes,
    /// What it is for.
    pub kind: ObjectKind,
}

/// What an object is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ObjectKind {
    /// An initialization section: comes with every segment, is stored once and then anew from time to time: lifecycle
    /// rules go by an object's age, and this one is named for as long as the broadcast runs.
    Init,
    /// A whole segment.
    Segment,
    /// A partial segment: for viewers at the live edge only, whose bytes are in a segment soon. Never mirrored: every copy
    /// costs a request, and the edge asks for parts where they are made. One that is late is of no use.
    Part,
}
