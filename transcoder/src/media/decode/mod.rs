//! Packets in, frames out. Counts what a decoder refuses and goes on; never fails for damaged media.

pub(super) mod deinterlace;

use ff::codec::discard::Discard;
use ff::codec::{self, threading};
use ff::{decoder, frame};
use ffmpeg_next as ff;
use headwater_rtmp::codec::FourCc;

use super::error::MediaError;

/// Results of one packet that a decoder may hand out before we stop asking: above any reorder depth (16).
const MAX_RESULTS: usize = 64;

/// Codecs of video that the linked FFmpeg can decode, by their Enhanced RTMP codes.
#[must_use]
pub fn decodable() -> Vec<FourCc> {
    let known = [
        (codec::Id::H264, FourCc::AVC),
        (codec::Id::HEVC, FourCc::HEVC),
        (codec::Id::AV1, FourCc::AV1),
        (codec::Id::VP9, FourCc::VP9),
    ];
    known.into_iter().filter(|(id, _)| has_decoder(*id)).map(|(_, code)| code).collect()
}

fn has_decoder(id: codec::Id) -> bool {
    // FFmpeg's own `av1` only drives hardware; a library is found before it if there is one.
    decoder::find(id).is_some_and(|found| found.name() != "av1")
}

fn context(parameters: codec::Parameters, track: &'static str) -> Result<codec::Context, MediaError> {
    let id = parameters.id();
    if !has_decoder(id) {
        return Err(MediaError::UnsupportedCodec { track, codec: id.name().to_owned() });
    }
    codec::Context::from_parameters(parameters).map_err(MediaError::av("cannot set up a decoder"))
}

/// Packets since the last key frame that are kept, to decode them once more when a source pauses: GOPs of 20 s at 30
/// pictures a second. More would take seconds to decode (3 s at 200 pictures a second), while the source goes on.
const MAX_GROUP: usize = 600;
/// Bytes of them: 20 s at 6 Mbit/s.
const MAX_GROUP_BYTES: usize = 16 << 20;
/// Packets that may be decoded once more for each second of media: what a source of 60 pictures a second costs anyway,
/// however often it pauses. What is not used is kept for one GOP of [`MAX_GROUP`].
const AGAIN_PER_SECOND: i64 = 60;

/// Decodes one video track.
pub(super) struct VideoDecoder {
    decoder: decoder::Video,
    group: Group,
    /// The decoder was made to forget the group, and the next picture may refer to it.
    has_forgotten: bool,
    /// Packets that may be decoded once more, as of so many milliseconds of media.
    allowance: (i64, Option<i64>),
}

/// Packets since the last key frame.
#[derive(Default)]
struct Group {
    packets: Vec<ff::Packet>,
    bytes: usize,
    /// It began with a key frame, and all of it is there.
    is_whole: bool,
}

impl Group {
    fn push(&mut self, packet: &ff::Packet) {
        if packet.is_key() {
            *self = Self { is_whole: true, ..Self::default() };
        }
        self.bytes += packet.size();
        self.is_whole &= self.packets.len() < MAX_GROUP && self.bytes <= MAX_GROUP_BYTES;
        if self.is_whole {
            self.packets.push(packet.clone());
        } else {
            *self = Self::default();
        }
    }
}

impl VideoDecoder {
    pub(super) fn open(parameters: codec::Parameters, threads: usize) -> Result<Self, MediaError> {
        let id = parameters.id();
        let mut context = context(parameters, "video")?;
        context.set_threading(threading::Config {
            kind: threading::Type::Frame,
            count: threads.max(1),
            ..Default::default()
        });
        // Without it the decoder crops less at the left than it should, so that its rows begin at whole vectors.
        context.set_flags(codec::Flags::UNALIGNED);
        if id == codec::Id::H264 {
            // Without bitstream_restriction in the SPS the decoder otherwise guesses the reorder depth and *drops*
            // the pictures it guessed wrong about; strict takes the bound of C.4.5.3.
            context.compliance(codec::Compliance::Strict);
        }
        let decoder = context.decoder().video().map_err(MediaError::av("cannot open the video decoder"))?;
        Ok(Self {
            decoder,
            group: Group::default(),
            has_forgotten: false,
            allowance: (MAX_GROUP as i64, None),
        })
    }

    /// Rate from the bitstream, 0 if it says none.
    pub(super) fn frame_rate(&self) -> f64 {
        self.decoder.frame_rate().filter(|r| r.denominator() != 0).map_or(0.0, f64::from)
    }

    /// The track as it is, for a muxer; complete once a picture was decoded.
    pub(super) fn track(&self) -> Result<codec::Context, MediaError> {
        described(codec::Parameters::from(&*self.decoder), MediaError::av("cannot describe the video track"))
    }

    /// Hands out what the decoder holds because it cannot know that no other picture comes before it: some hold as many as
    /// the level allows, which of slides is a minute. `None` if it could not go on behind them. `millis` is where the
    /// source's media is.
    pub(super) fn release(&mut self, millis: i64, out: &mut Vec<frame::Video>) -> Option<u64> {
        let (left, since) = self.allowance;
        let earned =
            since.map_or(0, |since| (millis - since).max(0).saturating_mul(AGAIN_PER_SECOND) / 1_000);
        let left = left.saturating_add(earned).min(MAX_GROUP as i64);
        let cost = self.group.packets.len() as i64;
        if !self.group.is_whole || cost > left {
            return None;
        }
        self.allowance = (left - cost, Some(millis));
        let errors = pump(&mut self.decoder, None, |opened| receive(opened, out));
        self.decoder.flush();
        self.has_forgotten = true;
        Some(errors)
    }

    /// Decodes a packet, or drains at `None`; returns how many errors there were.
    pub(super) fn decode(&mut self, packet: Option<&ff::Packet>, out: &mut Vec<frame::Video>) -> u64 {
        if let Some(packet) = packet {
            if std::mem::take(&mut self.has_forgotten) && !packet.is_key() {
                self.remember();
            }
            self.group.push(packet);
        }
        pump(&mut self.decoder, packet, |opened| receive(opened, out))
    }

    /// Decodes the group once more: the next picture refers to it. It is not shown twice.
    fn remember(&mut self) {
        self.decoder.skip_frame(Discard::NonReference);
        for before in &self.group.packets {
            pump(&mut self.decoder, Some(before), |opened| opened.receive_frame(&mut frame::Video::empty()));
        }
        self.decoder.skip_frame(Discard::Default);
    }
}

fn receive(opened: &mut decoder::Opened, out: &mut Vec<frame::Video>) -> Result<(), ff::Error> {
    let mut frame = frame::Video::empty();
    opened.receive_frame(&mut frame).map(|()| out.push(frame))
}

/// Decodes one audio track.
pub(super) struct AudioDecoder(decoder::Audio);

impl AudioDecoder {
    pub(super) fn open(parameters: codec::Parameters) -> Result<Self, MediaError> {
        let context = context(parameters, "audio")?;
        context.decoder().audio().map(Self).map_err(MediaError::av("cannot open the audio decoder"))
    }

    /// Known once a packet was decoded, as the rate and the channels are: before, they are what the container claims.
    pub(super) fn profile(&self) -> codec::Profile {
        self.0.profile()
    }

    /// Samples a second.
    pub(super) fn rate(&self) -> u32 {
        self.0.rate()
    }

    pub(super) fn channels(&self) -> u16 {
        self.0.channels()
    }

    /// The track as it is, for a muxer; complete once a packet was decoded.
    pub(super) fn track(&self) -> Result<codec::Context, MediaError> {
        described(codec::Parameters::from(&*self.0), MediaError::av("cannot describe the audio track"))
    }

    /// Decodes a packet, or drains at `None`; returns how many errors there were.
    pub(super) fn decode(&mut self, packet: Option<&ff::Packet>, out: &mut Vec<frame::Audio>) -> u64 {
        pump(&mut self.0, packet, |opened| {
            let mut frame = frame::Audio::empty();
            opened.receive_frame(&mut frame).map(|()| out.push(frame))
        })
    }
}

fn described(
    mut track: codec::Parameters,
    failed: impl FnOnce(ff::Error) -> MediaError,
) -> Result<codec::Context, MediaError> {
    // What the encoder claims may be missing after a resume, and the init section must be the same.
    track.set_bit_rate(0);
    codec::Context::from_parameters(track).map_err(failed)
}

fn pump(
    opened: &mut decoder::Opened,
    packet: Option<&ff::Packet>,
    mut receive: impl FnMut(&mut decoder::Opened) -> Result<(), ff::Error>,
) -> u64 {
    let mut errors = 0;
    let sent = match packet {
        Some(packet) => opened.send_packet(packet),
        None => opened.send_eof(),
    };
    // EAGAIN cannot be: every call takes all there is before the next packet.
    errors += u64::from(sent.is_err());
    for _ in 0..MAX_RESULTS {
        match receive(opened) {
            Ok(()) => {}
            Err(ff::Error::Eof | ff::Error::Other { errno: ff::error::EAGAIN }) => break,
            Err(_) => errors += 1,
        }
    }
    errors
}
