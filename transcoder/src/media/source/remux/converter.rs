//! Tags in, Matroska out. Pure.

use headwater_rtmp::MediaKind;
use headwater_rtmp::amf::{self, Value};
use headwater_rtmp::codec::{
    AudioCodec, AudioPacket, AudioTag, FourCc, FrameType, VideoCodec, VideoPacket, VideoTag,
};
use headwater_rtmp::flv::TagKind;

use super::matroska::{self, MatroskaKind, MatroskaTrack};
use super::tags::Tag;

/// Rates of pictures that metadata may claim, per second; others are nonsense.
const RATES: std::ops::RangeInclusive<f64> = 1.0..=240.0;

/// What became of a tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Conversion {
    /// It holds no media.
    NoMedia,
    /// It is media of which nothing was made: without a sequence header, or broken.
    Skipped,
    /// A block was written, which starts at this byte of what was appended.
    Block(usize),
    /// It is not of this run: nothing more is.
    Over,
}

/// Follows one run.
#[derive(Debug, Default)]
pub(super) struct Converter {
    video: Option<(VideoCodec, Vec<u8>)>,
    audio: Option<(AudioCodec, Vec<u8>)>,
    frame_rate: Option<f64>,
    begun: bool,
}

/// Coded media of one tag.
struct FrameData<'a> {
    kind: MatroskaKind,
    /// PTS − DTS, milliseconds.
    composition: i32,
    key: bool,
    data: &'a [u8],
}

impl Converter {
    /// Takes the next tag; appends what it becomes to `out`.
    pub(crate) fn take(&mut self, tag: &Tag, out: &mut Vec<u8>) -> Conversion {
        match tag.kind {
            TagKind::Script => {
                self.frame_rate = frame_rate(&tag.body).or(self.frame_rate);
                Conversion::NoMedia
            }
            TagKind::Media(MediaKind::Video) => self.video(tag, out),
            TagKind::Media(MediaKind::Audio) => self.audio(tag, out),
        }
    }

    fn video(&mut self, tag: &Tag, out: &mut Vec<u8>) -> Conversion {
        let Ok(video) = VideoTag::parse(&tag.body) else { return Conversion::Skipped };
        match video.packet {
            VideoPacket::SequenceHeader => header(&mut self.video, video.codec, video.data, self.begun),
            VideoPacket::Frames if self.video.as_ref().is_some_and(|(codec, _)| *codec == video.codec) => {
                let key = video.frame_type == FrameType::Key;
                let composition = video.composition_time_ms;
                self.block(
                    tag,
                    &FrameData { kind: MatroskaKind::Video, composition, key, data: video.data },
                    out,
                )
            }
            VideoPacket::Frames => Conversion::Skipped,
            VideoPacket::SequenceEnd | VideoPacket::Other => Conversion::NoMedia,
        }
    }

    fn audio(&mut self, tag: &Tag, out: &mut Vec<u8>) -> Conversion {
        let Ok(audio) = AudioTag::parse(&tag.body) else { return Conversion::Skipped };
        match audio.packet {
            AudioPacket::SequenceHeader => header(&mut self.audio, audio.codec, audio.data, self.begun),
            AudioPacket::Frames if self.audio.as_ref().is_some_and(|(codec, _)| *codec == audio.codec) => {
                self.block(
                    tag,
                    &FrameData { kind: MatroskaKind::Audio, composition: 0, key: true, data: audio.data },
                    out,
                )
            }
            AudioPacket::Frames => Conversion::Skipped,
            AudioPacket::SequenceEnd | AudioPacket::Other => Conversion::NoMedia,
        }
    }

    fn block(&mut self, tag: &Tag, frames: &FrameData<'_>, out: &mut Vec<u8>) -> Conversion {
        if frames.data.is_empty() {
            return Conversion::Skipped;
        }
        if !self.begun {
            self.begun = true;
            self.head(out);
        }
        let start = out.len();
        // Matroska has no time before 0, and neither has a picture that is shown then.
        let shown = u64::try_from(i64::from(tag.millis) + i64::from(frames.composition)).unwrap_or(0);
        matroska::block(out, frames.kind, shown, frames.key, frames.data);
        Conversion::Block(start)
    }

    fn head(&self, out: &mut Vec<u8>) {
        let video = self.video.as_ref().map(|(codec, private)| MatroskaTrack {
            kind: MatroskaKind::Video,
            codec: video_id(*codec),
            // Matroska has no such record for VP8, and FFmpeg none for VP9.
            private: if matches!(codec, VideoCodec::Enhanced(_)) { &[] } else { private },
            frame_rate: self.frame_rate,
        });
        let audio = self.audio.as_ref().map(|(codec, private)| MatroskaTrack {
            kind: MatroskaKind::Audio,
            codec: audio_id(*codec),
            private,
            frame_rate: None,
        });
        matroska::head(out, &video.into_iter().chain(audio).collect::<Vec<_>>());
    }
}

/// Takes note of a sequence header. Matroska has its tracks at its start: another header, or one that comes later, is of
/// another run.
fn header<C: PartialEq>(slot: &mut Option<(C, Vec<u8>)>, codec: C, data: &[u8], begun: bool) -> Conversion {
    match slot {
        Some((known, private)) if *known == codec && private == data => Conversion::NoMedia,
        _ if begun => Conversion::Over,
        _ => {
            *slot = Some((codec, data.to_vec()));
            Conversion::NoMedia
        }
    }
}

/// Matroska's name of a codec (RFC 9559's registry). One that has none becomes a track without decoder, so that whoever
/// reads it can say so.
fn video_id(codec: VideoCodec) -> &'static str {
    match codec {
        VideoCodec::Avc => "V_MPEG4/ISO/AVC",
        VideoCodec::Hevc => "V_MPEGH/ISO/HEVC",
        VideoCodec::Av1 => "V_AV1",
        VideoCodec::Enhanced(FourCc::VP9) => "V_VP9",
        VideoCodec::Enhanced(FourCc::VP8) => "V_VP8",
        VideoCodec::Enhanced(_) | VideoCodec::Classic(_) => "V_NONE",
    }
}

fn audio_id(codec: AudioCodec) -> &'static str {
    match codec {
        AudioCodec::Aac => "A_AAC",
        AudioCodec::Enhanced(_) | AudioCodec::Classic(_) => "A_NONE",
    }
}

/// What onMetaData says of the rate. AV1 says nothing of it itself.
fn frame_rate(body: &[u8]) -> Option<f64> {
    let values = amf::decode(body).ok()?;
    values.iter().filter_map(Value::properties).flatten().find_map(|(name, value)| {
        (name == "framerate").then(|| value.as_number()).flatten().filter(|rate| RATES.contains(rate))
    })
}
