//! Packets in, frames out. Counts what a decoder refuses and goes on; never fails for damaged media.

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

/// Packets since the last key frame that are kept, to decode them once more: of pictures that are rare.
const MAX_GROUP: usize = 16;

/// Decodes one video track.
pub(super) struct VideoDecoder {
    decoder: decoder::Video,
    /// Since the last key frame, if they are few.
    group: Option<Vec<ff::Packet>>,
    /// What the decoder was made to forget, and the next picture may refer to.
    again: Vec<ff::Packet>,
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
        Ok(Self { decoder, group: None, again: Vec::new() })
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
    /// the level allows, which of slides is a minute. `None` if it could not go on behind them.
    pub(super) fn release(&mut self, out: &mut Vec<frame::Video>) -> Option<u64> {
        let group = self.group.as_ref()?;
        let errors = pump(&mut self.decoder, None, |opened| receive(opened, out));
        self.decoder.flush();
        self.again = group.clone();
        Some(errors)
    }

    /// Decodes a packet, or drains at `None`; returns how many errors there were.
    pub(super) fn decode(&mut self, packet: Option<&ff::Packet>, out: &mut Vec<frame::Video>) -> u64 {
        if let Some(packet) = packet {
            let again = std::mem::take(&mut self.again);
            if packet.is_key() {
                self.group = Some(Vec::new());
            } else {
                // What it refers to was forgotten; it is not shown twice.
                for before in &again {
                    pump(&mut self.decoder, Some(before), |opened| {
                        opened.receive_frame(&mut frame::Video::empty())
                    });
                }
            }
            match &mut self.group {
                Some(group) if group.len() < MAX_GROUP => group.push(packet.clone()),
                group => *group = None,
            }
        }
        pump(&mut self.decoder, packet, |opened| receive(opened, out))
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
