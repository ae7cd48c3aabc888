//! Pictures that carry their number and sound that tells the second, encoded by the ffmpeg command.
//!
//! A picture is 16 columns, each black or white: the bits of its number, the lowest on the left. The sound is a tone of
//! 300 Hz, and of 1 kHz in addition for the first 120 ms of each second.

use std::path::Path;
use std::process::Command;

use super::message::{self, Message};

pub const BITS: usize = 16;
/// Time of the beep within each second.
const BEEP_SECONDS: f64 = 0.12;

/// What is to be encoded.
#[derive(Clone, Debug)]
pub struct Clip {
    pub width: usize,
    pub height: usize,
    /// Pictures a second, as ffmpeg spells it.
    pub rate: &'static str,
    pub pictures: usize,
    /// Number of the first picture.
    pub first: usize,
    pub seconds: f64,
    /// Options of x264 and of the filters before it.
    pub video: String,
    /// Options of the AAC encoder; none, no sound.
    pub audio: Option<String>,
}

/// 3 s of 25 pictures a second with stereo sound of 48 kHz, a key frame each second.
pub fn clip() -> Clip {
    Clip {
        width: 192,
        height: 108,
        rate: "25",
        pictures: 75,
        first: 0,
        seconds: 3.0,
        video: "-g 25".to_owned(),
        audio: Some("-ac 2 -ar 48000".to_owned()),
    }
}

impl Clip {
    pub fn size(self, width: usize, height: usize) -> Self {
        Self { width, height, ..self }
    }

    /// So many pictures at this rate, and sound as long as they last.
    pub fn rate(self, rate: &'static str, pictures: usize) -> Self {
        let (over, under) = rate.split_once('/').unwrap_or((rate, "1"));
        let rate_of = over.parse::<f64>().unwrap() / under.parse::<f64>().unwrap();
        Self { rate, pictures, seconds: pictures as f64 / rate_of, ..self }
    }

    /// Its pictures are numbered from here on.
    pub fn numbered_from(self, first: usize) -> Self {
        Self { first, ..self }
    }

    /// With these options of the encoder.
    pub fn x264(self, options: &str) -> Self {
        Self { video: options.to_owned(), ..self }
    }

    /// With sound encoded so.
    pub fn aac(self, options: &str) -> Self {
        Self { audio: Some(options.to_owned()), ..self }
    }

    pub fn silent_film(self) -> Self {
        Self { audio: None, ..self }
    }

    /// As an encoder sends it.
    pub fn flv(&self) -> Vec<Message> {
        let options = "-c:v libx264 -preset veryfast -threads 1 -sc_threshold 0";
        message::of_flv(&self.encode("flv", &format!("{options} {}", self.video)))
    }

    /// In another container with all options given.
    pub fn encode(&self, format: &str, video: &str) -> Vec<u8> {
        let folder = tempfile::tempdir().unwrap();
        let frames = folder.path().join("frames.gray");
        std::fs::write(&frames, self.frames()).unwrap();
        let input = format!(
            "-f rawvideo -pix_fmt gray -video_size {}x{} -framerate {} -i {}",
            self.width,
            self.height,
            self.rate,
            frames.to_str().unwrap()
        );
        let pixels = if video.contains("-pix_fmt") { "" } else { "-pix_fmt yuv420p" };
        let sound = self.audio.as_ref().map(|options| (tone("48000", self.seconds), options));
        let sound = sound.map_or_else(
            || (String::new(), String::new()),
            |(tone, options)| (tone, format!("-c:a aac -b:a 64k {options}")),
        );
        ffmpeg(folder.path(), format, &format!("{input} {} {pixels} {video} {}", sound.0, sound.1))
    }

    fn frames(&self) -> Vec<u8> {
        let column = self.width / BITS;
        let mut all = Vec::with_capacity(self.pictures * self.width * self.height);
        for number in self.first..self.first + self.pictures {
            let bit = |x: usize| number >> (x / column).min(BITS - 1) & 1;
            let row: Vec<u8> = (0..self.width).map(|x| if bit(x) == 1 { 235 } else { 16 }).collect();
            (0..self.height).for_each(|_| all.extend_from_slice(&row));
        }
        all
    }
}

/// The tone as an input of ffmpeg.
fn tone(rate: &str, seconds: f64) -> String {
    format!(
        "-f lavfi -i aevalsrc=0.1*sin(2*PI*300*t)+0.5*sin(2*PI*1000*t)*lt(mod(t\\,1)\\,{BEEP_SECONDS}):s={rate}:d={seconds}"
    )
}

/// Sound alone, by this encoder, in FLV.
pub fn sound(seconds: f64, options: &str) -> Vec<Message> {
    let folder = tempfile::tempdir().unwrap();
    message::of_flv(&ffmpeg(folder.path(), "flv", &format!("{} {options}", tone("48000", seconds))))
}

fn ffmpeg(folder: &Path, format: &str, arguments: &str) -> Vec<u8> {
    let file = folder.join("source");
    let muxer = match format {
        "flv" => "-flvflags no_duration_filesize -f flv",
        "mp4" => "-movflags frag_every_frame+empty_moov+default_base_moof -f mp4",
        other => panic!("no muxer for {other}"),
    };
    let out = Command::new("ffmpeg")
        .args(["-v", "error", "-nostdin", "-y"])
        .args(arguments.split_whitespace())
        .args(muxer.split_whitespace())
        .arg(&file)
        .output()
        .unwrap();
    assert!(out.status.success(), "{arguments}: {}", String::from_utf8_lossy(&out.stderr));
    std::fs::read(&file).unwrap()
}
