//! Proves at start that the FFmpeg we are linked to can do what a broadcast needs: a moment of picture and tone is made,
//! wrapped as FLV and transcoded by the engine itself. Without it a wrong image would fail at somebody's first stream.

mod clip;

use std::io::Cursor;
use std::ops::ControlFlow;

use ff::{codec, decoder, encoder, format};
use ffmpeg_next as ff;
use thiserror::Error;

use super::cancel::Cancel;
use super::engine;
use super::error::MediaError;
use super::settings::{EngineSettings, RunInput, Rung};
use super::{Made, MediaTime, Passthrough, RenditionKind, StartPoint};

/// Half of the clip's, so that scaling is part of the proof.
const RENDITION_LINES: u32 = clip::HEIGHT / 2;

/// What is missing.
#[derive(Debug, Error)]
pub enum CheckError {
    /// FFmpeg was built without it.
    #[error("the FFmpeg libraries have no {what} ({name})")]
    Missing {
        /// What it is for.
        what: &'static str,
        /// libav's name.
        name: &'static str,
    },
    /// All are there by name, but do not work.
    #[error("the FFmpeg libraries cannot transcode a test clip: {0}")]
    Transcode(#[from] MediaError),
    /// The engine went through it, but something is not as it was made.
    #[error("a transcoded test clip has {found} {what}, not {made}")]
    Differs {
        /// What was counted.
        what: &'static str,
        /// In the result.
        found: u64,
        /// In the clip.
        made: u64,
    },
}

/// Transcodes a second of 128x72 with the engine; costs some 20 ms.
///
/// # Errors
/// When a codec is not there or does not work.
pub fn check() -> Result<(), CheckError> {
    engine::quiet();
    present()?;
    let counted = transcode(clip::make()?)?;
    match counted.into_iter().find(|(_, found, made)| found != made) {
        Some((what, found, made)) => Err(CheckError::Differs { what, found, made }),
        None => Ok(()),
    }
}

/// The libraries at run time, such as `libavcodec 59.37.100`, one a line, and the licence they were built under.
#[must_use]
pub fn libraries() -> String {
    let number = |version: u32| format!("{}.{}.{}", version >> 16, version >> 8 & 0xff, version & 0xff);
    format!(
        "libavutil {}\nlibavcodec {}\nlibavformat {}\nlibswscale {}\nlibswresample {}\n{}",
        number(ff::util::version()),
        number(codec::version()),
        number(format::version()),
        number(ff::software::scaling::version()),
        number(ff::software::resampling::version()),
        codec::license(),
    )
}

fn present() -> Result<(), CheckError> {
    let all = [
        (encoder::find_by_name("libx264"), "H.264 encoder", "libx264"),
        (encoder::find(codec::Id::AAC), "AAC encoder", "aac"),
        (decoder::find(codec::Id::H264), "H.264 decoder", "h264"),
        (decoder::find(codec::Id::AAC), "AAC decoder", "aac"),
    ];
    match all.into_iter().find(|(codec, ..)| codec.is_none()) {
        Some((_, what, name)) => Err(CheckError::Missing { what, name }),
        None => Ok(()),
    }
}

/// What was counted, what was found of it, and what should have been.
fn transcode(source: Vec<u8>) -> Result<[(&'static str, u64, u64); 5], MediaError> {
    let settings = EngineSettings {
        ladder: Some(vec![Rung::new("check", RENDITION_LINES, clip::BITRATE)]),
        // What is to be proved is the encoders.
        passthrough: Passthrough::NONE,
        segment_duration: MediaTime::from_secs(1),
        ..EngineSettings::default()
    };
    let input = RunInput { reader: Box::new(Cursor::new(source)), first_cursor: 1, pace: None };
    let (mut frames, mut video, mut audio) = (0, 0, 0);
    let end = engine::run(
        input,
        &settings,
        StartPoint::aligned(MediaTime::from_secs(0), 1),
        |made| {
            let Made::Segment(segment) = made else { return ControlFlow::Continue(()) };
            frames += u64::from(segment.frames);
            for rendition in &segment.renditions {
                match rendition.kind {
                    RenditionKind::Video { .. } => video += 1,
                    RenditionKind::Audio { .. } => audio += 1,
                }
            }
            ControlFlow::Continue(())
        },
        &Cancel::new(),
    )?;
    Ok([
        ("pictures", frames, clip::PICTURES.into()),
        ("renditions of picture", video, 1),
        ("renditions of sound", audio, 1),
        ("packets that could not be decoded", end.stats.video_errors + end.stats.audio_errors, 0),
        ("samples of silence put in", end.stats.silence_samples, 0),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_libraries_transcode_a_clip() {
        check().unwrap();
    }

    #[test]
    fn damage_is_noticed() {
        let mut source = clip::make().unwrap();
        let half = source.len() / 2;
        source[half..].fill(0xff);
        let counted = transcode(source);
        assert!(counted.is_err() || counted.unwrap().iter().any(|(_, found, made)| found != made));
    }
}
