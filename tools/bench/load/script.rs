//! What every publisher sends: the messages of an FLV file over and over, cut into chunks once for all of them.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use bytes::Bytes;
use headwater_rtmp::MediaKind;
use headwater_rtmp::codec::{Inspector, MediaClass};
use headwater_rtmp::flv::{FILE_HEADER_LEN, TAG_HEADER_LEN, TagHead};
use headwater_rtmp::publisher::Publisher;

/// Bytes in a chunk: what OBS sets.
pub(crate) const CHUNK: u32 = 4_096;

/// Between two turns of the clip: a picture.
const PAUSE_MS: u32 = 33;

/// One message.
#[derive(Debug)]
pub(crate) struct Message {
    /// When it is due, after the start.
    pub(crate) due: Duration,
    /// As it is sent.
    pub(crate) chunks: Bytes,
    /// As the gateway serves it, if it is media: type, time since the first, body.
    pub(crate) media: Option<(u8, u32, Bytes)>,
}

/// An FLV file's messages, cut into chunks.
#[derive(Debug)]
pub(crate) struct Script {
    /// Of all messages together.
    pub(crate) length: Duration,
    pub(crate) messages: Vec<Message>,
}

impl Script {
    /// The media of `file`, repeated for `length`. Timestamps go on rising in both tracks, and sequence headers come once: so
    /// it is one stream, as of one encoder.
    pub(crate) fn new(file: Bytes, length: Duration) -> anyhow::Result<Self> {
        let mut publisher = Publisher::default();
        let chunks = publisher.set_chunk_size(CHUNK);
        let mut messages = vec![Message { due: Duration::ZERO, chunks, media: None }];
        let tags = tags(file)?;
        let first = tags.iter().find(|tag| tag.class != MediaClass::SequenceHeader).context("media")?.time;
        let last = tags.iter().map(|tag| tag.time).max().context("media")?;
        let period = last - first + PAUSE_MS;
        for turn in 0.. {
            for tag in &tags {
                let header = tag.class == MediaClass::SequenceHeader;
                let time = tag.time + turn * period;
                let due = Duration::from_millis(time.saturating_sub(first).into());
                if due >= length {
                    return Ok(Self { length, messages });
                }
                if header && turn > 0 {
                    continue;
                }
                let chunks = publisher.media(tag.kind, time, tag.body.clone());
                let media = (!header).then(|| (tag.kind.type_id(), time - first, tag.body.clone()));
                messages.push(Message { due, chunks, media });
            }
        }
        Ok(Self { length, messages })
    }

    /// The messages that are media.
    pub(crate) fn media(&self) -> impl Iterator<Item = (Duration, &(u8, u32, Bytes))> {
        self.messages.iter().filter_map(|message| Some((message.due, message.media.as_ref()?)))
    }
}

struct Tag {
    kind: MediaKind,
    class: MediaClass,
    time: u32,
    body: Bytes,
}

/// Sequence headers and media of an FLV file.
fn tags(file: Bytes) -> anyhow::Result<Vec<Tag>> {
    ensure!(file.starts_with(b"FLV\x01"), "not an FLV file");
    let (mut inspector, mut tags) = (Inspector::new(), Vec::new());
    let mut rest = file.slice(FILE_HEADER_LEN..);
    while let Some(head) = TagHead::read(&rest) {
        ensure!(rest.len() >= head.tag_len(), "the file is cut short");
        let body = rest.slice(TAG_HEADER_LEN..TAG_HEADER_LEN + head.body_len);
        rest = rest.slice(head.tag_len()..);
        let Some(kind) = MediaKind::from_type_id(head.type_id) else { continue };
        let class = inspector.inspect(kind, &body)?.class;
        if class != MediaClass::Other {
            tags.push(Tag { kind, class, time: head.timestamp_ms, body });
        }
    }
    Ok(tags)
}
