//! Runs the engine on test sources and looks at what came out with ffprobe and ffmpeg.
#![allow(dead_code, unreachable_pub, reason = "each test binary uses its part")]

pub mod check;
pub mod enhanced;
pub mod flv;

use std::io::{self, Cursor, Read};
use std::ops::ControlFlow;

use headwater_transcoder::media::{
    Cancel, EngineSettings, Made, MediaError, MediaTime, Part, Passthrough, RunEnd, RunInput, Rung, Segment,
    StartPoint, run,
};

/// Where test broadcasts start.
pub fn start() -> StartPoint {
    StartPoint::aligned(MediaTime::from_secs(10), 1)
}

/// A ladder that is quick to encode.
pub fn small() -> EngineSettings {
    EngineSettings {
        ladder: Some(vec![Rung::new("180p", 180, 300_000), Rung::new("90p", 90, 100_000)]),
        passthrough: Passthrough::NONE,
        ..EngineSettings::default()
    }
}

/// Bytes, then an error if `broken`.
pub struct Bytes {
    bytes: Cursor<Vec<u8>>,
    broken: bool,
}

impl Read for Bytes {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        // Short reads, as from a network.
        let n = buf.len().min(1_500);
        match self.bytes.read(&mut buf[..n])? {
            0 if self.broken => Err(io::ErrorKind::ConnectionReset.into()),
            n => Ok(n),
        }
    }
}

pub fn input(bytes: Vec<u8>, first_cursor: u64) -> RunInput {
    RunInput {
        reader: Box::new(Bytes { bytes: Cursor::new(bytes), broken: false }),
        first_cursor,
        pace: None,
    }
}

pub fn broken(bytes: Vec<u8>, first_cursor: u64) -> RunInput {
    RunInput { reader: Box::new(Bytes { bytes: Cursor::new(bytes), broken: true }), first_cursor, pace: None }
}

/// Everything a run handed out.
pub struct Out {
    pub segments: Vec<Segment>,
    pub parts: Vec<Part>,
    pub end: RunEnd,
}

pub fn collect(input: RunInput, settings: &EngineSettings, start: StartPoint) -> Result<Out, MediaError> {
    let (mut segments, mut parts) = (Vec::new(), Vec::new());
    let end = run(
        input,
        settings,
        start,
        |made| {
            match made {
                Made::Part(part) => parts.push(part),
                Made::Segment(segment) => segments.push(segment),
            }
            ControlFlow::Continue(())
        },
        &Cancel::new(),
    )?;
    Ok(Out { segments, parts, end })
}

pub fn transcode(source: &flv::Flv) -> Out {
    collect(input(source.bytes(), flv::FIRST_CURSOR), &small(), start()).unwrap()
}
