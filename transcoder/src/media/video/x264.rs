//! The video encoder's settings: one choice for standard and one for low latency, measured in docs/ENCODING.md.

use ff::codec;
use ff::{encoder, frame};
use ffmpeg_next as ff;

use crate::media::plan::ladder::{Sized, level};

/// Ticks of broadcast time.
pub(crate) const TIME_BASE: ff::Rational = ff::Rational(1, 90_000);

/// Colours as the source declares them.
#[derive(Clone, Copy)]
pub(crate) struct Colour {
    pub(crate) space: ff::color::Space,
    pub(crate) primaries: ff::color::Primaries,
    pub(crate) transfer: ff::color::TransferCharacteristic,
    pub(crate) range: ff::color::Range,
}

impl Colour {
    /// Of a picture as it will be encoded: the scaler makes YUV of RGB, and limited range of the formats that mean full
    /// range by their name; others (AV1, VP9, 10 bit) it leaves in the range that they declare.
    pub(crate) fn of(picture: &frame::Video) -> Self {
        use ff::format::Pixel::{YUVJ420P, YUVJ422P, YUVJ444P};
        let space = match picture.color_space() {
            ff::color::Space::RGB => ff::color::Space::SMPTE170M,
            space => space,
        };
        let range = match (picture.format(), picture.color_range()) {
            (YUVJ420P | YUVJ422P | YUVJ444P, _) => ff::color::Range::MPEG,
            (_, ff::color::Range::JPEG) if picture.color_space() != ff::color::Space::RGB => {
                ff::color::Range::JPEG
            }
            _ => ff::color::Range::MPEG,
        };
        let transfer = picture.color_transfer_characteristic();
        Self { space, primaries: picture.color_primaries(), transfer, range }
    }
}

/// What one encoder is to be.
#[derive(Clone)]
pub(crate) struct Encoding {
    pub(crate) sized: Sized,
    pub(crate) frame_rate: f64,
    pub(crate) colour: Colour,
    pub(crate) low_latency: bool,
    /// Whether it is smaller than the source.
    pub(crate) scaled: bool,
    /// Less care for less CPU; the same parameter sets, so that segments go on under the same init section.
    pub(crate) fast: bool,
}

/// Between two P-frames of renditions smaller than the source.
const B_FRAMES: usize = 3;
/// Lines below which B-frames pay.
const B_FRAMES_BELOW: u32 = 720;
/// Constant quality of easy pictures, by lines from which it holds; hard ones are bounded by the rung's bitrate.
const CRF: [(u32, &str); 4] = [(1_080, "21"), (720, "20"), (480, "19.3"), (0, "20")];
/// Without a look ahead it must be a little better to look the same; worse where that would run the buffer dry.
const LOW_LATENCY_CRF: [(u32, &str); 4] = [(1_080, "20"), (720, "19"), (480, "20.5"), (0, "21")];
/// Frames that x264 looks ahead when latency is standard: a third of a second.
const LOOKAHEAD: &str = "mbtree=1:rc-lookahead=10";
/// In low latency a tenth; `force-cfr` spares the frame that x264 would hold to learn its duration.
const SHORT_LOOKAHEAD: &str = "mbtree=1:rc-lookahead=3:force-cfr=1";
/// A fifth cheaper.
const FAST: &str = "mbtree=0:rc-lookahead=0:subme=0:partitions=none";

impl Encoding {
    /// An encoder of whole renditions: key frames only where they are asked for.
    pub(crate) fn open(&self) -> Result<encoder::Video, ff::Error> {
        let codec = encoder::find_by_name("libx264").ok_or(ff::Error::EncoderNotFound)?;
        let mut video = codec::Context::new_with_codec(codec).encoder().video()?;
        let Sized { rung, width, height, .. } = &self.sized;
        video.set_width(*width);
        video.set_height(*height);
        video.set_format(ff::format::Pixel::YUV420P);
        video.set_aspect_ratio(ff::Rational(1, 1));
        video.set_time_base(TIME_BASE);
        video.set_frame_rate(Some(ff::Rational(self.millifps(), 1_000)));
        video.set_colorspace(self.colour.space);
        video.set_color_primaries(self.colour.primaries);
        video.set_color_transfer_characteristic(self.colour.transfer);
        video.set_color_range(self.colour.range);
        video.set_max_bit_rate(rung.maxrate as usize);
        video.set_max_b_frames(self.b_frames());
        video.set_flags(codec::Flags::GLOBAL_HEADER);
        let mut options = ff::Dictionary::new();
        options.set("preset", "superfast");
        options.set("crf", self.crf());
        options.set("profile", "high");
        options.set("level", level(*width, *height, self.frame_rate, rung.maxrate));
        options.set("bufsize", &rung.buffer.to_string());
        options.set("forced-idr", "1");
        options.set("a53cc", "0");
        options.set("x264-params", &self.params());
        video.open_as_with(codec, options)
    }

    /// Boundaries are ours: no key frame of its own choice. `stitchable` keeps content out of SPS and PPS, so that the
    /// init section is the same after a resume; `fps` feeds rate control, which else takes the time base for it.
    fn params(&self) -> String {
        // `b-adapt=0`: always so many, which measures better than x264's quick guess and costs less.
        let b_frames = format!("bframes={}:b-adapt=0:b-pyramid=none:direct=temporal", self.b_frames());
        let care = match (self.low_latency, self.fast) {
            (false, false) => LOOKAHEAD,
            (true, false) => SHORT_LOOKAHEAD,
            (_, true) => FAST,
        };
        format!(
            "keyint=infinite:min-keyint=1:scenecut=0:threads=1:sync-lookahead=0:stitchable=1:{b_frames}:{care}:fps={}/1000",
            self.millifps()
        )
    }

    /// Of a landscape picture; the shorter side of a portrait one.
    fn lines(&self) -> u32 {
        self.sized.width.min(self.sized.height)
    }

    fn crf(&self) -> &'static str {
        let by_lines = if self.low_latency { &LOW_LATENCY_CRF } else { &CRF };
        by_lines.iter().find(|(from, _)| self.lines() >= *from).map_or("20", |(_, crf)| crf)
    }

    /// They are worth their delay where the picture is smaller than the source; at its own size they fall on the source's
    /// B-frames and look worse.
    pub(super) fn b_frames(&self) -> usize {
        if self.scaled && self.lines() < B_FRAMES_BELOW && !self.low_latency { B_FRAMES } else { 0 }
    }

    fn millifps(&self) -> i32 {
        (self.frame_rate * 1_000.0).round() as i32
    }
}
