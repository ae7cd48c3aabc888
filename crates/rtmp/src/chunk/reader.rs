//! Chunks in, messages out. One payload buffer per chunk stream, since chunk streams interleave; linear in the input
//! whatever the chunk size, and no memory on the word of a header.

use bytes::{Bytes, BytesMut};

use super::header::{self, Fields, Header, MAX_HEADER_LEN, Repeat};
use super::{ChunkError, INITIAL_CHUNK_SIZE, MAX_CHUNK_STREAMS, MAX_MESSAGE_LEN};
use crate::message::{Message, type_id};

/// First allocation for a message, bytes: most messages fit, and 64 idle chunk streams cannot claim much. Less where all
/// of them together may hold little.
const FIRST_ALLOCATION: usize = 16 * 1024;

/// Which messages are passed over as they come: their bytes are counted and not kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Skips {
    /// None: what is too long is an error.
    Nothing,
    /// Data and commands that are too long.
    Long,
    /// Those, and all of types that nobody knows, however long they are.
    Foreign,
}

/// How long messages may be. The owner tightens or widens them as it learns who is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MessageLimits {
    /// Bytes of an audio, video or aggregate message.
    pub media: u32,
    /// Bytes of a data message.
    pub data: u32,
    /// Bytes of a command or of any other message.
    pub command: u32,
    /// Bytes that incomplete messages of all chunk streams may hold together.
    pub buffered: usize,
    /// What need not be kept.
    pub skips: Skips,
}

/// Work done so far; for tests of linearity and for metrics.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ReaderStats {
    /// Chunks begun.
    pub chunks: u64,
    /// Messages completed.
    pub messages: u64,
    /// Payload bytes written to a buffer, counting those moved again when a buffer grew.
    pub bytes_copied: u64,
    /// Bytes of buffers allocated.
    pub bytes_allocated: u64,
}

impl ReaderStats {
    /// Doubles the buffer up to the announced length, never beyond what came by more than that factor. A buffer of
    /// its own size is made each time: growing in place rounds up, and the message keeps what it was given.
    fn make_room(&mut self, payload: &mut BytesMut, more: usize, announced: usize, first: usize) {
        let needed = payload.len() + more;
        if needed > payload.capacity() {
            let capacity = needed.max(2 * payload.len()).max(first).min(announced);
            let mut larger = BytesMut::with_capacity(capacity);
            larger.extend_from_slice(payload);
            self.bytes_copied += payload.len() as u64;
            self.bytes_allocated += capacity as u64;
            *payload = larger;
        }
        self.bytes_copied += more as u64;
    }
}

#[derive(Debug)]
struct ChunkStream {
    id: u32,
    timestamp: u32,
    /// Absolute for type 0, delta for the others: what a type 3 header repeats.
    timestamp_field: u32,
    extended: bool,
    length: u32,
    type_id: u8,
    stream_id: u32,
    payload: Option<Partial>,
}

/// What has come of a message.
#[derive(Debug)]
enum Partial {
    Kept(BytesMut),
    /// So many bytes that nobody reads.
    Skipped(usize),
}

impl Partial {
    fn len(&self) -> usize {
        match self {
            Self::Kept(payload) => payload.len(),
            Self::Skipped(count) => *count,
        }
    }

    /// Bytes that it holds.
    fn held(&self) -> usize {
        match self {
            Self::Kept(payload) => payload.len(),
            Self::Skipped(_) => 0,
        }
    }
}

/// Reads one direction of one connection.
#[derive(Debug)]
pub struct ChunkReader {
    limits: MessageLimits,
    chunk_size: u32,
    streams: Vec<ChunkStream>,
    open: Option<OpenChunk>,
    held: PartialHeader,
    buffered: usize,
    stats: ReaderStats,
}

#[derive(Debug, Clone, Copy)]
struct OpenChunk {
    /// Into `streams`.
    index: usize,
    /// Payload bytes still to come.
    left: usize,
}

impl ChunkReader {
    /// A reader at the start of a chunk stream.
    #[must_use]
    pub fn new(limits: MessageLimits) -> Self {
        Self {
            limits,
            chunk_size: INITIAL_CHUNK_SIZE,
            streams: Vec::new(),
            open: None,
            held: PartialHeader::default(),
            buffered: 0,
            stats: ReaderStats::default(),
        }
    }

    /// Limits for messages that begin from now on.
    pub fn set_limits(&mut self, limits: MessageLimits) {
        self.limits = limits;
    }

    /// The peer's Set Chunk Size, for chunks that begin from now on.
    ///
    /// # Errors
    /// When it is 0 or has its highest bit set.
    pub fn set_chunk_size(&mut self, size: u32) -> Result<(), ChunkError> {
        if size == 0 || size > i32::MAX.cast_unsigned() {
            return Err(ChunkError::ChunkSize(size));
        }
        self.chunk_size = size.min(MAX_MESSAGE_LEN);
        Ok(())
    }

    /// The peer's Abort Message: drops what has come of the message on that chunk stream.
    pub fn abort(&mut self, chunk_stream: u32) {
        if let Some(stream) = self.streams.iter_mut().find(|stream| stream.id == chunk_stream)
            && let Some(payload) = stream.payload.take()
        {
            self.buffered -= payload.held();
        }
    }

    /// Bytes that incomplete messages hold.
    #[must_use]
    pub fn buffered(&self) -> usize {
        self.buffered
    }

    /// Work done so far.
    #[must_use]
    pub fn stats(&self) -> ReaderStats {
        self.stats
    }

    /// Consumes the front of `input` up to the end of the next message. `None` when the input is used up first.
    ///
    /// # Errors
    /// When the chunk stream is not legal or a limit is exceeded; the reader must not be used after that.
    pub fn read(&mut self, input: &mut &[u8]) -> Result<Option<Message>, ChunkError> {
        loop {
            let chunk = match self.open.take() {
                Some(chunk) => chunk,
                None => match self.next_header(input) {
                    Some(header) => self.begin_chunk(header)?,
                    None => return Ok(None),
                },
            };
            let left = chunk.left - self.append(chunk, input)?;
            if left > 0 {
                self.open = Some(OpenChunk { left, ..chunk });
                if input.is_empty() && self.held.is_empty() {
                    return Ok(None);
                }
            } else if let Some(message) = self.complete(chunk.index) {
                return Ok(Some(message));
            }
        }
    }

    fn next_header(&mut self, input: &mut &[u8]) -> Option<Header> {
        if self.held.is_empty()
            && let Some((header, used)) = self.whole_header(input)
        {
            *input = &input[used..];
            return Some(header);
        }
        // Split over reads. A header is at most 18 bytes, so that many suffice and parsing anew is bounded.
        let mut joined = self.held;
        let added = joined.fill(input);
        if let Some((header, used)) = self.whole_header(joined.bytes()) {
            let from_held = used.min(self.held.bytes().len());
            self.held.consume(from_held);
            *input = &input[used - from_held..];
            return Some(header);
        }
        self.held = joined;
        *input = &input[added..];
        None
    }

    fn whole_header(&self, bytes: &[u8]) -> Option<(Header, usize)> {
        let (header, used) = header::parse(bytes)?;
        if header.fields == Fields::Same
            && let Some(stream) = self.streams.iter().find(|stream| stream.id == header.chunk_stream)
            && stream.extended
        {
            let absolute = match stream.payload {
                Some(_) => stream.timestamp,
                None => stream.timestamp.wrapping_add(stream.timestamp_field),
            };
            return match header::repeated_timestamp(&bytes[used..], [stream.timestamp_field, absolute]) {
                Repeat::Length(repeated) => Some((header, used + repeated)),
                Repeat::NeedMore => None,
            };
        }
        Some((header, used))
    }

    fn begin_chunk(&mut self, header: Header) -> Result<OpenChunk, ChunkError> {
        self.stats.chunks += 1;
        let index = self.stream_index(header)?;
        let stream = &mut self.streams[index];
        match header.fields {
            Fields::Same if stream.payload.is_some() => {}
            _ if stream.payload.is_some() => return Err(ChunkError::HeaderInsideMessage(stream.id)),
            fields => {
                stream.start_message(fields);
                // A type 3 header takes this over with the rest.
                stream.extended = header.extended || (stream.extended && fields == Fields::Same);
                let keeps = self.limits.admit(stream)?;
                stream.payload =
                    Some(if keeps { Partial::Kept(BytesMut::new()) } else { Partial::Skipped(0) });
            }
        }
        let received = stream.payload.as_ref().map_or(0, Partial::len);
        Ok(OpenChunk { index, left: (stream.length as usize - received).min(self.chunk_size as usize) })
    }

    fn stream_index(&mut self, header: Header) -> Result<usize, ChunkError> {
        let id = header.chunk_stream;
        if let Some(index) = self.streams.iter().position(|stream| stream.id == id) {
            return Ok(index);
        }
        // librtmp starts chunk streams with type 1, so the message stream is taken to be 0 there.
        if matches!(header.fields, Fields::SameLength { .. } | Fields::Same) {
            return Err(ChunkError::NoEarlierHeader(id));
        }
        if self.streams.len() == MAX_CHUNK_STREAMS {
            return Err(ChunkError::TooManyChunkStreams);
        }
        self.streams.push(ChunkStream::new(id));
        Ok(self.streams.len() - 1)
    }

    /// Takes what it can of the chunk and says how much that was.
    fn append(&mut self, chunk: OpenChunk, input: &mut &[u8]) -> Result<usize, ChunkError> {
        let stream = &mut self.streams[chunk.index];
        let source = if self.held.is_empty() { *input } else { self.held.bytes() };
        let taken = &source[..chunk.left.min(source.len())];
        let count = taken.len();
        match stream.payload.get_or_insert_with(|| Partial::Kept(BytesMut::new())) {
            Partial::Skipped(skipped) => *skipped += count,
            Partial::Kept(payload) => {
                self.buffered += count;
                if self.buffered > self.limits.buffered {
                    return Err(ChunkError::TooMuchBuffered { limit: self.limits.buffered });
                }
                let first = FIRST_ALLOCATION.min(self.limits.buffered / MAX_CHUNK_STREAMS);
                self.stats.make_room(payload, count, stream.length as usize, first);
                payload.extend_from_slice(taken);
            }
        }
        if self.held.is_empty() {
            *input = &input[count..];
        } else {
            self.held.consume(count);
        }
        Ok(count)
    }

    fn complete(&mut self, index: usize) -> Option<Message> {
        let stream = &mut self.streams[index];
        let payload = stream.payload.take_if(|payload| payload.len() == stream.length as usize)?;
        self.buffered -= payload.held();
        self.stats.messages += 1;
        let payload = match payload {
            Partial::Kept(payload) => payload.freeze(),
            Partial::Skipped(_) => Bytes::new(),
        };
        Some(Message {
            type_id: stream.type_id,
            stream_id: stream.stream_id,
            timestamp: stream.timestamp,
            payload,
        })
    }
}

impl ChunkStream {
    fn new(id: u32) -> Self {
        Self {
            id,
            timestamp: 0,
            timestamp_field: 0,
            extended: false,
            length: 0,
            type_id: 0,
            stream_id: 0,
            payload: None,
        }
    }

    fn start_message(&mut self, fields: Fields) {
        match fields {
            Fields::Full { timestamp, length, type_id, stream_id } => {
                self.timestamp_field = timestamp;
                self.timestamp = timestamp;
                self.length = length;
                self.type_id = type_id;
                self.stream_id = stream_id;
                return;
            }
            Fields::SameStream { delta, length, type_id } => {
                self.timestamp_field = delta;
                self.length = length;
                self.type_id = type_id;
            }
            Fields::SameLength { delta } => self.timestamp_field = delta,
            // After a type 0 header the delta is that header's timestamp (RTMP §5.3.1.2.4); FFmpeg relies on it.
            Fields::Same => {}
        }
        self.timestamp = self.timestamp.wrapping_add(self.timestamp_field);
    }
}

impl MessageLimits {
    /// Whether the message on `stream` is kept: one that nobody would read is passed over, if that is allowed.
    fn admit(&self, stream: &ChunkStream) -> Result<bool, ChunkError> {
        let (limit, passed_over) = match stream.type_id {
            type_id::AUDIO | type_id::VIDEO | type_id::AGGREGATE => (self.media, None),
            type_id::DATA_AMF0 | type_id::DATA_AMF3 => (self.data, Some(Skips::Long)),
            type_id::COMMAND_AMF0 | type_id::COMMAND_AMF3 => (self.command, Some(Skips::Long)),
            known if type_id::name(known).is_some() => (self.command, None),
            _ if self.skips == Skips::Foreign => return Ok(false),
            _ => (self.command, None),
        };
        match stream.length > limit {
            false => Ok(true),
            true if passed_over.is_some_and(|from| self.skips >= from) => Ok(false),
            true => Err(ChunkError::MessageTooLong { length: stream.length, type_id: stream.type_id, limit }),
        }
    }
}

/// Bytes read but not yet understood, before those of the next read: an incomplete header.
#[derive(Debug, Clone, Copy, Default)]
struct PartialHeader {
    bytes: [u8; MAX_HEADER_LEN],
    len: usize,
}

impl PartialHeader {
    fn bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }

    fn is_empty(&self) -> bool {
        self.len == 0
    }

    fn fill(&mut self, input: &[u8]) -> usize {
        let added = input.len().min(MAX_HEADER_LEN - self.len);
        self.bytes[self.len..self.len + added].copy_from_slice(&input[..added]);
        self.len += added;
        added
    }

    fn consume(&mut self, count: usize) {
        self.bytes.copy_within(count..self.len, 0);
        self.len -= count;
    }
}
