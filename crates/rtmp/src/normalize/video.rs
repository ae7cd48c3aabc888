//! The pictures of a session: sequence headers, access units, and the slices that come one by one.

use bytes::{BufMut, Bytes, BytesMut};

use super::bitstream::{Bitstream, put_unit};
use super::fields::Field;
use super::framing::{Framing, LENGTH_SIZE};
use super::nal::{Syntax, Unit};
use super::parameters::{ParameterSets, with_long_lengths};
use super::{Frame, Normal, Useless};
use crate::codec::{
    Av1Config, FourCc, FrameType, RandomAccess, VideoCodec, VideoPacket, VideoTag, with_frame_type,
};
use crate::message::MediaKind;
use crate::session::MediaMessage;

/// Longest access unit that is put together of messages, bytes: as long as a message may be. Its end is left out.
const MAX_JOINED_BYTES: usize = 8 * 1024 * 1024;
/// Most bytes without a picture that wait for one; SEI with captions and metrics have a few hundred.
const MAX_WAITING_BYTES: usize = 64 * 1024;
/// Milliseconds of sound behind a picture after which no more slices of it are waited for: sound of an encoder that
/// interleaves well comes between slices, too.
const PATIENCE_MS: i32 = 250;

/// Sounds that may wait behind such a picture, whatever their times: in bursts, those of a second.
const MAX_BEHIND: usize = 64;

/// Codec, and whether it comes in the enhanced form.
type Form = (VideoCodec, bool);

/// A session's pictures on their way into the normal form.
#[derive(Debug, Default)]
pub(super) struct VideoTrack {
    /// Form of the sequence header in force.
    form: Option<Form>,
    /// The sequence header in force.
    header: Bytes,
    /// The last one as it was sent.
    received: Bytes,
    /// What is known of the NAL units of H.264 and HEVC.
    nal: Option<Bitstream>,
    /// NAL units that belong to the next picture, each behind its length.
    waiting: BytesMut,
    held: Option<PendingPicture>,
    /// Sound that came while a picture was held.
    behind: Vec<Normal>,
    /// Slices are messages of their own.
    sliced: bool,
    /// The next picture waits for the message behind it, which may tell that it is sliced.
    holds_next: bool,
    /// Timestamp of the last picture.
    last: Option<u32>,
}

/// A picture that waits for its other slices, or for its other field.
#[derive(Debug)]
struct PendingPicture {
    frame: Frame,
    /// The field that it is until now.
    field: Option<Field>,
    /// Slices that came, each behind its length.
    more: BytesMut,
}

fn syntax_of(codec: VideoCodec) -> Option<Syntax> {
    match codec {
        VideoCodec::Avc => Some(Syntax::Avc),
        VideoCodec::Hevc => Some(Syntax::Hevc),
        VideoCodec::Av1 | VideoCodec::Classic(_) | VideoCodec::Enhanced(_) => None,
    }
}

impl VideoTrack {
    pub(super) fn push(
        &mut self,
        message: &MediaMessage,
        tag: &VideoTag<'_>,
        out: &mut Vec<Normal>,
    ) -> Result<(), Useless> {
        match tag.packet {
            VideoPacket::SequenceHeader if !tag.data.is_empty() => self.header(&message.payload, tag, out),
            VideoPacket::Frames if !tag.data.is_empty() => {
                let form = (tag.codec, tag.enhanced);
                if self.form.is_some_and(|known| known != form) {
                    return Err(Useless::OtherForm);
                }
                match syntax_of(tag.codec) {
                    Some(syntax) => self.units(message, tag, syntax, out),
                    None if self.form.is_none() => Err(Useless::NoVideoHeader),
                    None => {
                        let random_access =
                            (tag.frame_type == FrameType::Key).then_some(RandomAccess::Closed);
                        out.push(Normal::Frame(frame(
                            message.timestamp,
                            random_access,
                            message.payload.clone(),
                        )));
                        Ok(())
                    }
                }
            }
            _ => Ok(()),
        }
    }

    /// Whether a picture waits for its other slices.
    pub(super) fn is_holding(&self) -> bool {
        self.held.is_some()
    }

    /// Lets sound pass behind the picture that came before it. A sequence header may pass that picture: the run that it
    /// opens needs it.
    pub(super) fn pass(&mut self, timestamp: u32, mut sound: Vec<Normal>, out: &mut Vec<Normal>) {
        let is_late =
            |held: &PendingPicture| timestamp.wrapping_sub(held.frame.timestamp).cast_signed() >= PATIENCE_MS;
        if self.held.as_ref().is_some_and(is_late) || self.behind.len() >= MAX_BEHIND {
            self.release(out);
        }
        if self.held.is_none() {
            out.append(&mut sound);
            return;
        }
        for normal in sound {
            match normal {
                Normal::Header(..) if self.behind.is_empty() => out.push(normal),
                _ => self.behind.push(normal),
            }
        }
    }

    /// No more slices of the last picture are waited for.
    pub(super) fn release(&mut self, out: &mut Vec<Normal>) {
        let Some(PendingPicture { mut frame, more, .. }) = self.held.take() else { return };
        if !more.is_empty() {
            let mut body = BytesMut::with_capacity(frame.body.len() + more.len());
            body.put_slice(&frame.body);
            body.put_slice(&more);
            frame.body = body.freeze();
        }
        out.push(Normal::Frame(frame));
        out.append(&mut self.behind);
    }

    fn header(&mut self, payload: &[u8], tag: &VideoTag<'_>, out: &mut Vec<Normal>) -> Result<(), Useless> {
        if payload == self.received {
            // Encoders that repeat themselves change nothing, also where their pictures have said otherwise.
            return Ok(());
        }
        let head = &payload[..payload.len() - tag.data.len()];
        let body = match syntax_of(tag.codec) {
            None if tag.codec == VideoCodec::Av1 && Av1Config::parse(tag.data).is_none() => {
                return Err(Useless::Header);
            }
            None => Bytes::copy_from_slice(payload),
            Some(syntax) => {
                let (sets, length_size) = ParameterSets::read(syntax, tag.data).ok_or(Useless::Header)?;
                let body = match length_size {
                    Some(LENGTH_SIZE) => Bytes::copy_from_slice(payload),
                    Some(_) => [head, &with_long_lengths(syntax, tag.data)].concat().into(),
                    None => [head, &sets.record().ok_or(Useless::Header)?].concat().into(),
                };
                self.nal = Some(Bitstream { syntax, length_size, in_force: sets.clone(), newest: sets });
                body
            }
        };
        self.received = Bytes::copy_from_slice(payload);
        self.set((tag.codec, tag.enhanced), body, out);
        Ok(())
    }

    /// A header holds from now on.
    fn set(&mut self, form: Form, body: Bytes, out: &mut Vec<Normal>) {
        if self.form.replace(form) != Some(form) || self.header != body {
            self.release(out);
            self.holds_next = true;
            self.header = body.clone();
            out.push(Normal::Header(MediaKind::Video, body));
        }
    }

    fn units(
        &mut self,
        message: &MediaMessage,
        tag: &VideoTag<'_>,
        syntax: Syntax,
        out: &mut Vec<Normal>,
    ) -> Result<(), Useless> {
        let nal = match &mut self.nal {
            Some(nal) if nal.syntax == syntax => nal,
            other => other.insert(Bitstream::new(syntax)),
        };
        let declared = nal.length_size.unwrap_or(LENGTH_SIZE);
        let whole = Framing::of(tag.data, declared);
        // Of what is cut short, or has nonsense behind it, whole units are taken.
        let framing = whole.unwrap_or(Framing::Lengths(declared));
        let seen = nal.look(framing, tag.data);
        let Some(slice) = seen.first_slice else {
            whole.ok_or(Useless::Framing)?;
            self.wait(framing, tag.data, syntax);
            return Err(Useless::NoPicture);
        };
        if !seen.begins_picture && self.last == Some(message.timestamp) {
            return self.join(framing, tag.data, seen.random_access);
        }
        let field = nal.field(&seen);
        if let Some(field) = field
            && self.held.as_ref().and_then(|held| held.field).is_some_and(|first| field.is_second_of(first))
        {
            return self.pair(message, framing, tag.data, out);
        }
        self.release(out);
        let is_entry = seen.random_access.is_some() || tag.frame_type == FrameType::Key;
        self.renew(tag, is_entry, out);
        let Some(nal) = self.nal.as_ref().filter(|_| self.form.is_some()) else {
            self.waiting.clear();
            return Err(Useless::NoVideoHeader);
        };
        let key = match tag.frame_type {
            _ if seen.random_access.is_some() => FrameType::Key,
            FrameType::Key if syntax.is_predicted(slice) => FrameType::Inter,
            claimed => claimed,
        };
        let is_plain = framing == Framing::Lengths(LENGTH_SIZE)
            && !seen.is_odd
            && self.waiting.is_empty()
            && key == tag.frame_type;
        let body = if is_plain {
            message.payload.clone()
        } else {
            let head = &message.payload[..message.payload.len() - tag.data.len()];
            let waiting = self.waiting.split();
            let mut body = BytesMut::with_capacity(message.payload.len() + waiting.len() + LENGTH_SIZE);
            body.put_slice(head);
            body[0] = with_frame_type(head[0], key);
            nal.put(&mut body, Framing::Lengths(LENGTH_SIZE), &waiting);
            nal.put(&mut body, framing, tag.data);
            body.freeze()
        };
        let frame = frame(message.timestamp, seen.random_access, body);
        self.last = Some(message.timestamp);
        if std::mem::take(&mut self.holds_next) || self.sliced || field.is_some() {
            self.held = Some(PendingPicture { frame, field, more: BytesMut::new() });
        } else {
            out.push(Normal::Frame(frame));
        }
        Ok(())
    }

    /// Keeps NAL units for the picture behind them.
    fn wait(&mut self, framing: Framing, data: &[u8], syntax: Syntax) {
        for unit in framing.units(data).filter(|unit| !unit.is_empty()) {
            let belongs = matches!(syntax.classify(unit), Unit::Before | Unit::Set(_));
            if belongs && self.waiting.len() + LENGTH_SIZE + unit.len() <= MAX_WAITING_BYTES {
                put_unit(&mut self.waiting, unit);
            }
        }
    }

    /// Adds the second field to the picture that waits for it.
    fn pair(
        &mut self,
        message: &MediaMessage,
        framing: Framing,
        data: &[u8],
        out: &mut Vec<Normal>,
    ) -> Result<(), Useless> {
        let before = self.waiting.split();
        let (Some(held), Some(nal)) = (&mut self.held, &self.nal) else { return Err(Useless::LateSlice) };
        if held.frame.body.len() + held.more.len() + before.len() + data.len() > MAX_JOINED_BYTES {
            return Err(Useless::LateSlice);
        }
        nal.put(&mut held.more, Framing::Lengths(LENGTH_SIZE), &before);
        nal.put(&mut held.more, framing, data);
        held.field = None;
        // More slices of it come with its time.
        self.last = Some(message.timestamp);
        if !self.sliced {
            self.release(out);
        }
        Ok(())
    }

    /// Adds slices to the picture that waits for them.
    fn join(
        &mut self,
        framing: Framing,
        data: &[u8],
        random_access: Option<RandomAccess>,
    ) -> Result<(), Useless> {
        self.sliced = true;
        let (Some(held), Some(nal)) = (&mut self.held, &self.nal) else { return Err(Useless::LateSlice) };
        if held.frame.body.len() + held.more.len() + data.len() > MAX_JOINED_BYTES {
            return Err(Useless::LateSlice);
        }
        held.frame.random_access = held.frame.random_access.or(random_access);
        nal.put(&mut held.more, framing, data);
        Ok(())
    }

    /// Makes a header of the parameter sets that came with the pictures, where decoding can begin with it.
    fn renew(&mut self, tag: &VideoTag<'_>, is_entry: bool, out: &mut Vec<Normal>) {
        let Some(nal) = &mut self.nal else { return };
        let is_due = self.form.is_none() || (is_entry && nal.newest != nal.in_force);
        let Some(record) = is_due.then(|| nal.newest.record()).flatten() else { return };
        nal.in_force = nal.newest.clone();
        let mut body = header_head(tag);
        body.put_slice(&record);
        self.set((tag.codec, tag.enhanced), body.freeze(), out);
    }
}

fn frame(timestamp: u32, random_access: Option<RandomAccess>, body: Bytes) -> Frame {
    Frame { kind: MediaKind::Video, timestamp, random_access, body }
}

/// What comes before the record in a sequence header message like `tag`.
fn header_head(tag: &VideoTag<'_>) -> BytesMut {
    let (classic, code) = match tag.codec {
        VideoCodec::Hevc => (0x1C, FourCc::HEVC),
        _ => (0x17, FourCc::AVC),
    };
    let mut head = BytesMut::new();
    if tag.enhanced {
        head.put_u8(0x90);
        head.put_slice(&code.0);
    } else {
        head.put_slice(&[classic, 0, 0, 0, 0]);
    }
    head
}
