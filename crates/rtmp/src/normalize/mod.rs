//! Makes of what encoders send the one form that everything behind it may rely on.
//!
//! Video of H.264 and HEVC: NAL units behind lengths of four bytes, none empty; one message is one access unit; parameter
//! sets are in the sequence header, which comes before the pictures that need it, and is another only if they are. What
//! the tag calls a key frame is one. Audio: raw AAC behind an AudioSpecificConfig. [`Clock`] does the same for timestamps.
//!
//! Pure: knows neither session nor store. A message that is in this form already passes as it came, without a copy.
//! Only four kinds of message wait for another one: the first picture behind a sequence header, and all pictures of an
//! encoder that sends slices as messages of their own, until the next tells that no more slices of theirs come; a field,
//! until the other one of its picture comes; and what holds no picture (parameter sets, SEI), which belongs to the picture
//! behind it.
//!
//! A frame of AAC that comes with the header of a file's (ADTS) and without a sequence header:
//!
//! ```
//! use bytes::Bytes;
//! use headwater_rtmp::normalize::{MediaTag, Normal, Normalizer};
//! use headwater_rtmp::{MediaKind, MediaMessage};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let adts = [0xFF, 0xF1, 0x4C, 0x80, 0x01, 0x7F, 0xFC];
//! let sent = [&[0xAF, 1][..], &adts, &[0x21, 0x10, 0x05, 0x00]].concat();
//! let message = MediaMessage { kind: MediaKind::Audio, timestamp: 40, payload: Bytes::from(sent) };
//!
//! let mut out = Vec::new();
//! Normalizer::default().push(&message, &MediaTag::parse(&message)?, &mut out)?;
//!
//! let [Normal::Header(MediaKind::Audio, header), Normal::Frame(frame)] = &out[..] else { return Err("other".into()) };
//! assert_eq!(header[..], [0xAF, 0, 0x11, 0x90], "its AudioSpecificConfig: AAC-LC, 48 kHz, stereo");
//! assert_eq!(frame.body[..], [0xAF, 1, 0x21, 0x10, 0x05, 0x00]);
//! # Ok(())
//! # }
//! ```

mod adts;
mod audio;
mod bits;
mod bitstream;
mod clock;
mod fields;
mod framing;
mod nal;
mod parameters;
mod rate;
mod retime;
mod video;

use bytes::Bytes;

use self::audio::AudioTrack;
pub use self::clock::{Clock, Timed};
pub use self::retime::delay_decoding;
use self::video::VideoTrack;
use crate::codec::{AudioPacket, AudioTag, Codec, RandomAccess, TagError, VideoPacket, VideoTag};
use crate::message::MediaKind;
use crate::session::MediaMessage;

/// A media message whose header has been read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MediaTag<'a> {
    /// Audio.
    Audio(AudioTag<'a>),
    /// Video.
    Video(VideoTag<'a>),
}

impl<'a> MediaTag<'a> {
    /// Reads the header of a message.
    ///
    /// # Errors
    /// When it is cut short or multitrack.
    pub fn parse(message: &'a MediaMessage) -> Result<Self, TagError> {
        match message.kind {
            MediaKind::Audio => AudioTag::parse(&message.payload).map(Self::Audio),
            MediaKind::Video => VideoTag::parse(&message.payload).map(Self::Video),
        }
    }

    /// Its codec.
    #[must_use]
    pub fn codec(&self) -> Codec {
        match self {
            Self::Audio(tag) => Codec::Audio(tag.codec),
            Self::Video(tag) => Codec::Video(tag.codec),
        }
    }

    /// Whether it is a sequence header.
    #[must_use]
    pub fn is_header(&self) -> bool {
        match self {
            Self::Audio(tag) => tag.packet == AudioPacket::SequenceHeader,
            Self::Video(tag) => tag.packet == VideoPacket::SequenceHeader,
        }
    }

    /// Whether there is something to be decoded in it: not so in ends of sequence, metadata, commands, empty messages.
    #[must_use]
    pub fn is_media(&self) -> bool {
        let (is_frames, data) = match self {
            Self::Audio(tag) => (tag.packet == AudioPacket::Frames, tag.data),
            Self::Video(tag) => (tag.packet == VideoPacket::Frames, tag.data),
        };
        self.is_header() || (is_frames && !data.is_empty())
    }
}

/// One access unit, or one frame of audio.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// Audio or video.
    pub kind: MediaKind,
    /// As sent.
    pub timestamp: u32,
    /// Whether a decoder can start with it. Of codecs that are not looked into, what the tag calls a key frame.
    pub random_access: Option<RandomAccess>,
    /// FLV tag body.
    pub body: Bytes,
}

/// What comes out, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Normal {
    /// Body of the sequence header of the frames that follow; never the one that holds already.
    Header(MediaKind, Bytes),
    /// A frame.
    Frame(Frame),
}

/// Why nothing can be made of a message, said of its track.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Useless {
    /// Its tag.
    #[error(transparent)]
    Tag(#[from] TagError),
    /// A sequence header.
    #[error("its sequence header cannot be read")]
    Header,
    /// Pictures that nobody could decode.
    #[error("its pictures come without a sequence header and without parameter sets")]
    NoVideoHeader,
    /// Sound that nobody could decode.
    #[error("its sound comes without a sequence header (AudioSpecificConfig)")]
    NoAudioHeader,
    /// Another codec, or the enhanced form instead of the classic one.
    #[error("its messages are of another codec, or form, than its sequence header")]
    OtherForm,
    /// Neither lengths nor start codes.
    #[error("its NAL units cannot be told apart")]
    Framing,
    /// Parameter sets, SEI and the like.
    #[error("its messages hold no pictures")]
    NoPicture,
    /// A slice of a picture that is out already.
    #[error("slices of its pictures come late, or never end")]
    LateSlice,
    /// ADTS that is none.
    #[error("its ADTS frames are damaged")]
    Adts,
}

/// Brings one session's messages into the normal form.
#[derive(Debug, Default)]
pub struct Normalizer {
    audio: AudioTrack,
    video: VideoTrack,
}

impl Normalizer {
    /// Takes the next message of a session, as `tag` has it; puts what can be stored into `out`.
    ///
    /// # Errors
    /// When nothing can be made of the message. The next may be better.
    pub fn push(
        &mut self,
        message: &MediaMessage,
        tag: &MediaTag<'_>,
        out: &mut Vec<Normal>,
    ) -> Result<(), Useless> {
        match tag {
            MediaTag::Audio(tag) => {
                if !self.video.is_holding() {
                    return self.audio.push(message, tag, out);
                }
                let mut sound = Vec::new();
                let taken = self.audio.push(message, tag, &mut sound);
                self.video.pass(message.timestamp, sound, out);
                taken
            }
            MediaTag::Video(tag) => self.video.push(message, tag, out),
        }
    }

    /// Nothing follows: what waited for it is complete.
    pub fn finish(&mut self, out: &mut Vec<Normal>) {
        self.video.release(out);
    }
}

#[cfg(test)]
mod tests;
