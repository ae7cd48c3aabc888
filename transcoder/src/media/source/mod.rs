//! FLV bytes in, timed packets with their cursors out. Owns the demuxer; knows nothing of decoding.

pub(super) mod composition;
mod cursor;
pub(super) mod feed;
mod needed;
pub mod remux;
mod tap;

use std::io::{self, Read};

use ff::format::context::{Input, StreamIo};
use ff::{codec, media};
use ffmpeg_next as ff;

use self::remux::Container;
use self::tap::{Guard, Tap};
use super::cancel::Cancel;
use super::error::MediaError;
use super::stats::{Counters, add};

/// Bytes libavformat may read to learn the tracks: enough for sequence headers and a first picture to begin. What it
/// read is demuxed, not lost.
const PROBE_BYTES: &str = "32768";
/// Microseconds of media it may wait for a track the FLV header announced.
const PROBE_MICROS: &str = "200000";
/// Packets in a row that may fail to demux: far above any damage, so that a broken demuxer cannot spin.
const MAX_DEMUX_ERRORS: u32 = 10_000;

/// Which track a packet belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Track {
    Video,
    Audio,
}

/// A compressed packet; its pts and dts are FLV milliseconds.
pub(super) struct Unit {
    pub(super) track: Track,
    pub(super) packet: ff::Packet,
    pub(super) pts_millis: i64,
    pub(super) dts_millis: i64,
    pub(super) cursor: u64,
}

/// How the bytes ended.
pub(super) enum SourceEnd {
    Clean,
    Abrupt(io::Error),
    Cancelled,
}

pub(super) enum Next {
    Unit(Unit),
    End(SourceEnd),
}

/// The demuxer.
pub(super) struct Source {
    input: Option<Input>,
    tap: Tap,
    cancel: Cancel,
    video: Option<usize>,
    audio: Option<usize>,
    last_dts: i64,
}

impl Source {
    /// Opens the input; blocks until the first media is there. A source that ends before is empty, not an error here.
    pub(super) fn open(
        reader: Box<dyn Read + Send>,
        first_cursor: u64,
        cancel: &Cancel,
    ) -> Result<Self, MediaError> {
        let tap = Tap::new(first_cursor);
        let guard = Guard::new(reader, tap.clone(), cancel.clone());
        let opened = match remux::open(guard, tap.clone()) {
            Ok(container) => demuxer(container)?,
            // The tap knows why.
            Err(_) => None,
        };
        let source =
            Self { input: opened, tap, cancel: cancel.clone(), video: None, audio: None, last_dts: 0 };
        if source.input.is_none() && !source.cancel.is_cancelled() && !source.tap.has_failed() {
            return Err(MediaError::NoMedia);
        }
        Ok(source)
    }

    /// The next packet of a track we use, or how the source ended.
    pub(super) fn next(&mut self, counters: &Counters) -> Next {
        let Some(input) = self.input.as_mut() else { return Next::End(self.end()) };
        let mut failures = 0;
        loop {
            if self.cancel.is_cancelled() {
                return Next::End(SourceEnd::Cancelled);
            }
            let mut packet = ff::Packet::empty();
            match packet.read(input) {
                Ok(()) => {}
                Err(ff::Error::InvalidData) if failures < MAX_DEMUX_ERRORS => {
                    failures += 1;
                    add(&counters.demux_errors, 1);
                    continue;
                }
                // Truncated or not: what the reader said decides whether the end was clean.
                Err(ff::Error::Eof) => return Next::End(self.end()),
                Err(e) => {
                    return Next::End(match self.end() {
                        SourceEnd::Clean => SourceEnd::Abrupt(io::Error::other(e)),
                        end => end,
                    });
                }
            }
            let index = packet.stream();
            let Some(medium) = input.stream(index).map(|s| s.parameters().medium()) else { continue };
            let track = match medium {
                media::Type::Video if *self.video.get_or_insert(index) == index => Track::Video,
                media::Type::Audio if *self.audio.get_or_insert(index) == index => Track::Audio,
                _ => continue,
            };
            if packet.size() == 0 {
                continue;
            }
            let place = self.tap.place(u64::try_from(packet.position()).unwrap_or(0));
            if place.dts.is_some() {
                packet.set_dts(place.dts);
            }
            let dts_millis = packet.dts().or(packet.pts()).unwrap_or(self.last_dts);
            let pts_millis = packet.pts().unwrap_or(dts_millis);
            self.last_dts = dts_millis;
            return Next::Unit(Unit { track, packet, pts_millis, dts_millis, cursor: place.cursor });
        }
    }

    /// What the decoder of a track needs to know; the track has had a packet.
    pub(super) fn parameters(&self, track: Track) -> Option<codec::Parameters> {
        let index = match track {
            Track::Video => self.video,
            Track::Audio => self.audio,
        }?;
        self.input.as_ref()?.stream(index).map(|s| s.parameters())
    }

    /// The rate the source's metadata claims, if any.
    pub(super) fn frame_rate(&self) -> f64 {
        let rate = self.video.and_then(|i| self.input.as_ref()?.stream(i)).map(|s| s.avg_frame_rate());
        rate.filter(|r| r.denominator() != 0).map_or(0.0, f64::from)
    }

    fn end(&self) -> SourceEnd {
        match self.tap.take_failure() {
            Some(e) => SourceEnd::Abrupt(e),
            None if self.cancel.is_cancelled() => SourceEnd::Cancelled,
            None => SourceEnd::Clean,
        }
    }
}

/// Opens libavformat's demuxer; `None` if it makes nothing of the bytes.
fn demuxer(container: Container<Guard, Tap>) -> Result<Option<Input>, MediaError> {
    let (io, format, name) = match container {
        Container::Flv(reader) => (StreamIo::from_read(reader), "flv", "source.flv"),
        Container::Matroska(reader) => (StreamIo::from_read(reader), "matroska", "source.mkv"),
    };
    let io = io.map_err(MediaError::av("cannot make an input"))?;
    let mut options = ff::Dictionary::new();
    options.set("format_whitelist", format);
    options.set("probesize", PROBE_BYTES);
    options.set("analyzeduration", PROBE_MICROS);
    options.set("fpsprobesize", "0");
    Ok(ff::format::input_from_stream(io, Some(name), Some(options)).ok())
}

#[cfg(test)]
mod tests;
