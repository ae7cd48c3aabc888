//! Which codecs are taken, what is promised of that to encoders, and by what names the others are refused.

use headwater_rtmp::codec::{AudioCodec, Codec, FourCc, VideoCodec};

/// What the transcoders of this gateway can decode.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Codecs {
    video: Vec<FourCc>,
}

impl Codecs {
    /// These codecs of video, by their Enhanced RTMP codes, and AAC.
    pub fn new(video: impl IntoIterator<Item = FourCc>) -> Self {
        Self { video: video.into_iter().collect() }
    }

    /// Codes of video.
    pub fn video(&self) -> &[FourCc] {
        &self.video
    }

    /// Codes of audio. Others (Opus, FLAC, AC-3) are refused: what is sent on is AAC, on AAC's grid of samples.
    pub fn audio(&self) -> &[FourCc] {
        &[FourCc::AAC]
    }

    fn takes(&self, codec: Codec) -> bool {
        match codec {
            Codec::Audio(AudioCodec::Aac) => true,
            Codec::Audio(_) | Codec::Video(VideoCodec::Classic(_)) => false,
            Codec::Video(VideoCodec::Avc) => self.video.contains(&FourCc::AVC),
            Codec::Video(VideoCodec::Hevc) => self.video.contains(&FourCc::HEVC),
            Codec::Video(VideoCodec::Av1) => self.video.contains(&FourCc::AV1),
            Codec::Video(VideoCodec::Enhanced(code)) => self.video.contains(&code),
        }
    }

    /// The name of a codec, if it is refused.
    pub fn refused(&self, codec: Codec) -> Option<String> {
        (!self.takes(codec)).then(|| name(codec))
    }
}

fn name(codec: Codec) -> String {
    match codec {
        Codec::Video(VideoCodec::Avc) => "H.264 video".to_owned(),
        Codec::Video(VideoCodec::Hevc) => "HEVC (H.265) video".to_owned(),
        Codec::Video(VideoCodec::Av1) => "AV1 video".to_owned(),
        Codec::Video(VideoCodec::Classic(id)) => match id {
            2 => "Sorenson H.263 video".to_owned(),
            3 | 6 => "Screen video".to_owned(),
            4 | 5 => "VP6 video".to_owned(),
            other => format!("video of FLV codec {other}"),
        },
        Codec::Video(VideoCodec::Enhanced(code)) => format!("{code} video"),
        Codec::Audio(AudioCodec::Aac) => "AAC audio".to_owned(),
        Codec::Audio(AudioCodec::Classic(format)) => match format {
            0 | 3 => "PCM audio".to_owned(),
            1 => "ADPCM audio".to_owned(),
            2 | 14 => "MP3 audio".to_owned(),
            4..=6 => "Nellymoser audio".to_owned(),
            7 | 8 => "G.711 audio".to_owned(),
            11 => "Speex audio".to_owned(),
            other => format!("audio of FLV format {other}"),
        },
        Codec::Audio(AudioCodec::Enhanced(code)) => format!("{code} audio"),
    }
}
