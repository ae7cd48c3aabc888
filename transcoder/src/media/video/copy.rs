//! The source's own packets as the top rendition: nothing is lost, and the dearest encode is saved.
//!
//! A packet goes into the part in which as many pictures as packets are shown: with B-frames the packets of a part are
//! not exactly the pictures of its stretch, but they are contiguous, and those of a segment are (its end is an IDR).

use std::collections::VecDeque;

use ff::codec;
use ffmpeg_next as ff;

use super::gop::GopCutter;
use super::h264::{AccessUnit, classify, parameter_sets};
use super::x264::TIME_BASE;
use crate::media::error::MediaError;
use crate::media::package::assemble::{Piece, SegmentPart};
use crate::media::package::codecs;
use crate::media::package::mux::Muxer;
use crate::media::plan::ladder::{Copied, Sized};
use crate::media::stats::Counters;
use crate::media::{MediaTime, RenditionKind, RenditionSegment, StartPoint, VideoSpan};

/// Packets of an open segment: 2.45 s at 240 a second, and those that the decoder still has.
const MAX_PACKETS: usize = 700;
/// What is declared above the highest rate so far, percent: of an encoder that is not ours nothing more is known.
const MARGIN_PERCENT: f64 = 125.0;

/// The source cannot be copied (any more); a sentence for people.
#[derive(Debug)]
pub(crate) struct Unfit(pub(crate) &'static str);

/// A packet was taken.
#[derive(Debug, Default)]
pub(crate) struct Taken {
    /// A segment begins with it.
    pub(crate) opens: bool,
    /// Its picture cannot be shown before.
    pub(crate) not_before: Option<MediaTime>,
}

struct CopiedPacket {
    packet: ff::Packet,
    serial: i64,
    pts: MediaTime,
    dts: i64,
    idr: bool,
}

/// The copied rendition of one run.
pub(crate) struct CopiedVideo {
    gops: GopCutter,
    from: MediaTime,
    packets: VecDeque<CopiedPacket>,
    /// Of what was muxed last.
    last_dts: i64,
    begun: bool,
    muxer: Option<(Muxer, Copied)>,
    frame_rate: f64,
    /// Bits and seconds of the open segment, and the highest rate of any before.
    open: (f64, f64),
    peak: f64,
    /// Its bits are no question any more.
    weighed: bool,
}

impl CopiedVideo {
    pub(crate) fn new(target: MediaTime, start: &StartPoint) -> Self {
        Self {
            gops: GopCutter::new(target, start.parts.iter().copied().max().unwrap_or_default()),
            from: start.video_from,
            packets: VecDeque::new(),
            last_dts: i64::MIN,
            begun: false,
            muxer: None,
            frame_rate: 0.0,
            open: (0.0, 0.0),
            peak: 0.0,
            weighed: start.copied,
        }
    }

    /// The ladder has a place for it.
    pub(crate) fn admit(&mut self, copied: Copied, frame_rate: f64) {
        self.frame_rate = frame_rate;
        self.muxer = Some((Muxer::new(&copied.sized.rung.name, TIME_BASE), copied));
    }

    /// What it is in the ladder.
    pub(crate) fn sized(&self) -> Option<&Sized> {
        self.muxer.as_ref().map(|(_, copied)| &copied.sized)
    }

    /// Takes the next packet in decoding order, whose picture is known by `serial`.
    pub(crate) fn push(
        &mut self,
        packet: &ff::Packet,
        serial: i64,
        pts: MediaTime,
        dts: MediaTime,
    ) -> Result<Taken, Unfit> {
        let unit = classify(packet.data().unwrap_or_default());
        if unit == AccessUnit::Strange {
            return Err(Unfit("its packets are no plain H.264 access units"));
        }
        let idr = unit == AccessUnit::Idr;
        if !self.begun {
            if !idr || pts < self.from {
                return Ok(Taken::default());
            }
            self.begun = true;
        }
        if packet.is_key() && !idr {
            return Err(Unfit("its key frames are no IDRs (open GOPs)"));
        }
        if !self.gops.allows(pts) {
            return Err(Unfit("its key frames are too far apart"));
        }
        if self.packets.len() == MAX_PACKETS {
            return Err(Unfit("it has too many pictures a second"));
        }
        // The muxer wants them to rise; encoders repeat a millisecond at high rates.
        let dts = dts.ticks().max(self.last_dts + 1);
        self.last_dts = dts;
        // One that says it is shown before has a damaged time: a source that says so of all is none to be copied.
        let not_before = MediaTime::from_ticks(dts);
        let pts = pts.max(not_before);
        self.packets.push_back(CopiedPacket { packet: packet.clone(), serial, pts, dts, idr });
        Ok(Taken { opens: idr && self.gops.cuts(pts), not_before: Some(not_before) })
    }

    /// The picture of packet `serial` is shown at `at`.
    pub(crate) fn shown(&mut self, serial: i64, at: MediaTime) {
        if let Some(packet) = self.packets.iter_mut().find(|packet| packet.serial == serial) {
            packet.pts = at;
        }
    }

    /// The packets of a part of `frames` pictures; of the last part of a segment all up to the IDR shown at its end.
    pub(crate) fn part(
        &mut self,
        codec: &codec::Context,
        place: SegmentPart,
        last: bool,
        span: VideoSpan,
        frames: u32,
        counters: &Counters,
    ) -> Result<Result<Piece, Unfit>, MediaError> {
        let Some((muxer, copied)) = &mut self.muxer else {
            return Ok(Err(Unfit("it has no place in the ladder")));
        };
        let behind = |packet: &CopiedPacket| packet.idr && packet.pts >= span.end;
        let count = if last {
            self.packets.iter().position(behind).unwrap_or(self.packets.len())
        } else {
            (frames as usize).min(self.packets.len())
        };
        let end = self.packets.get(count).map(|next| next.dts);
        let mut mine: Vec<CopiedPacket> = self.packets.drain(..count).collect();
        if place.1 == 0 && !mine.first().is_some_and(|first| first.idr && first.pts == span.start) {
            return Ok(Err(Unfit("its pictures are not those of its packets")));
        }
        let average = span.duration().ticks() / i64::from(frames.max(1));
        let mut next = end.unwrap_or_else(|| mine.last().map_or(0, |packet| packet.dts + average.max(1)));
        for packet in mine.iter_mut().rev() {
            packet.packet.set_pts(Some(packet.pts.ticks()));
            packet.packet.set_dts(Some(packet.dts));
            packet.packet.set_duration(next - packet.dts);
            next = packet.dts;
        }
        let mut packets: Vec<ff::Packet> = mine.into_iter().map(|packet| packet.packet).collect();
        let fragment = muxer.fragment(codec, place, &mut packets, &counters.refused)?;
        // Decoders of an `avc1` track know the parameter sets of its section alone (ISO/IEC 14496-15 section 5.3.3).
        let sets = packets.iter().flat_map(|packet| parameter_sets(packet.data().unwrap_or_default()));
        if sets.into_iter().any(|set| !codecs::has_parameter_set(&fragment.init, set)) {
            return Ok(Err(Unfit("its parameter sets change between its key frames")));
        }
        self.open.0 += fragment.data.len() as f64 * 8.0;
        self.open.1 += span.duration().as_secs_f64();
        let rate = self.open.0 / self.open.1.max(0.2);
        if last {
            if !self.weighed && rate > f64::from(copied.up_to) {
                return Ok(Err(Unfit("it costs more bits than its size is worth")));
            }
            self.weighed = true;
            self.open = (0.0, 0.0);
            self.peak = self.peak.max(rate);
        }
        // Parts of the very first segment are all there is to go by.
        let peak = if self.peak == 0.0 { rate } else { self.peak };
        let name = &copied.sized.rung.name;
        let no_avcc = || MediaError::Fragment { rendition: name.clone(), what: "no avcC" };
        let segment = RenditionSegment {
            name: name.clone(),
            kind: RenditionKind::Video {
                width: copied.sized.width,
                height: copied.sized.height,
                frame_rate: self.frame_rate,
            },
            codecs: codecs::avc(&fragment.init).ok_or_else(no_avcc)?,
            init: fragment.init,
            data: fragment.data,
            declared_bitrate: (peak * MARGIN_PERCENT / 100.0) as u32,
            copied: true,
        };
        Ok(Ok(Piece::Rendition { place, index: 0, segment }))
    }
}
