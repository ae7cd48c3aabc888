//! Classifies the messages of one publication in their order: remembers what sequence headers said, so that
//! keyframes are judged by NAL units and not by what the tag claims.

use super::{
    AudioCodec, AudioPacket, AudioTag, Av1Config, AvcConfig, FrameType, HevcConfig, NalUnits, RandomAccess,
    TagError, VideoCodec, VideoPacket, VideoTag,
};
use crate::message::MediaKind;

/// What a message is to someone who stores and resumes streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MediaClass {
    /// Decoder configuration.
    SequenceHeader,
    /// A video message at which a decoder can start: for H.264 and HEVC judged by its pictures, for other codecs by what
    /// the tag calls a keyframe.
    RandomAccess(RandomAccess),
    /// Any other coded audio or video.
    Frames,
    /// End of sequence, metadata, commands, empty messages: nothing to decode.
    Other,
}

/// The codec of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Codec {
    /// An audio codec.
    Audio(AudioCodec),
    /// A video codec.
    Video(VideoCodec),
}

/// A classified message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MediaInfo {
    /// Codec.
    pub codec: Codec,
    /// What the message is.
    pub class: MediaClass,
    /// PTS − DTS, milliseconds.
    pub composition_time_ms: i32,
    /// Whether the tag has the enhanced form, which FLV readers of before 2023 do not know.
    pub enhanced: bool,
}

/// State of one publication's inspection.
#[derive(Debug, Clone, Default)]
pub struct Inspector {
    avc: Option<AvcConfig>,
    hevc: Option<HevcConfig>,
    configured: bool,
}

impl Inspector {
    /// Nothing seen yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// What the last H.264 sequence header said.
    #[must_use]
    pub fn avc_config(&self) -> Option<AvcConfig> {
        self.avc
    }

    /// Whether the last video sequence header is one of its codec. VP8 and VP9 need none, so theirs always is.
    #[must_use]
    pub fn is_configured(&self) -> bool {
        self.configured
    }

    /// Classifies the next message.
    ///
    /// # Errors
    /// When its header is cut short or multitrack.
    pub fn inspect(&mut self, kind: MediaKind, payload: &[u8]) -> Result<MediaInfo, TagError> {
        match kind {
            MediaKind::Audio => AudioTag::parse(payload).map(audio),
            MediaKind::Video => VideoTag::parse(payload).map(|tag| self.video(tag)),
        }
    }

    fn video(&mut self, tag: VideoTag<'_>) -> MediaInfo {
        let class = match tag.packet {
            VideoPacket::SequenceHeader => {
                self.configured = self.configure(tag);
                MediaClass::SequenceHeader
            }
            VideoPacket::Frames if !tag.data.is_empty() => {
                self.entry(tag).map_or(MediaClass::Frames, MediaClass::RandomAccess)
            }
            _ => MediaClass::Other,
        };
        MediaInfo {
            codec: Codec::Video(tag.codec),
            class,
            composition_time_ms: tag.composition_time_ms,
            enhanced: tag.enhanced,
        }
    }

    fn configure(&mut self, tag: VideoTag<'_>) -> bool {
        match tag.codec {
            VideoCodec::Avc => {
                self.avc = AvcConfig::parse(tag.data);
                self.avc.is_some()
            }
            VideoCodec::Hevc => {
                self.hevc = HevcConfig::parse(tag.data);
                self.hevc.is_some()
            }
            VideoCodec::Av1 => Av1Config::parse(tag.data).is_some(),
            VideoCodec::Classic(_) | VideoCodec::Enhanced(_) => true,
        }
    }

    fn entry(&self, tag: VideoTag<'_>) -> Option<RandomAccess> {
        // Without a sequence header nothing can be decoded, so there is nowhere to start either.
        match tag.codec {
            VideoCodec::Avc => {
                let nals = NalUnits::new(tag.data, self.avc?.nal_length_size);
                nals.has_avc_idr().then_some(RandomAccess::Closed)
            }
            VideoCodec::Hevc => NalUnits::new(tag.data, self.hevc?.nal_length_size).hevc_random_access(),
            _ => (tag.frame_type == FrameType::Key).then_some(RandomAccess::Closed),
        }
    }
}

fn audio(tag: AudioTag<'_>) -> MediaInfo {
    let class = match tag.packet {
        AudioPacket::SequenceHeader => MediaClass::SequenceHeader,
        AudioPacket::Frames if !tag.data.is_empty() => MediaClass::Frames,
        _ => MediaClass::Other,
    };
    MediaInfo { codec: Codec::Audio(tag.codec), class, composition_time_ms: 0, enhanced: tag.enhanced }
}
