//! One rendition's thread: scale, encode, mux. Frames come from the rung above (a chain from large to small), cuts come
//! between them, finished renditions go to the assembler.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender};

use ff::codec;
use ff::{encoder, frame, picture};
use ffmpeg_next as ff;

use super::assemble::Piece;
use super::codecs;
use super::error::MediaError;
use super::ladder::{Sized, level};
use super::mux::Muxer;
use super::scale::Scaler;
use super::segment::{RenditionKind, RenditionSegment};
use super::stats::{Counters, add};
use super::time::MediaTime;

pub(super) const TIME_BASE: ff::Rational = ff::Rational(1, 90_000);
/// Bits per second that `styp`, `moof` and `trun` add, rounded up: some 30 bytes a frame at 60 fps.
const CONTAINER_OVERHEAD: u32 = 16_000;

/// What flows down the chain.
#[derive(Clone)]
pub(super) enum Job {
    /// A picture with its PTS set; `key` opens a segment.
    Frame { frame: Arc<frame::Video>, at: MediaTime, key: bool },
    /// Segment `number` ends at `end`, the PTS of the next frame.
    Cut { number: u64, end: MediaTime },
    /// Nothing follows; what lies at or after the last cut is dropped. Without it, everything is.
    End,
}

/// Colours as the source declares them.
#[derive(Clone, Copy)]
pub(super) struct Colour {
    pub(super) space: ff::color::Space,
    pub(super) primaries: ff::color::Primaries,
    pub(super) transfer: ff::color::TransferCharacteristic,
}

/// What one rendition is to be.
#[derive(Clone)]
pub(super) struct RungPlan {
    pub(super) index: usize,
    pub(super) sized: Sized,
    pub(super) frame_rate: f64,
    pub(super) colour: Colour,
    pub(super) lookahead: u32,
    pub(super) segment_duration: MediaTime,
}

/// Why a rung's thread ended early.
pub(super) enum RungError {
    /// The other side of a channel is gone; whoever left says why.
    Disconnected,
    Media(MediaError),
}

impl From<MediaError> for RungError {
    fn from(error: MediaError) -> Self {
        Self::Media(error)
    }
}

/// A rung at work.
pub(super) struct Rung<'a> {
    plan: RungPlan,
    scaler: Scaler,
    encoder: encoder::Video,
    muxer: Muxer,
    below: Option<SyncSender<Job>>,
    out: SyncSender<Piece>,
    counters: &'a Counters,
    cuts: VecDeque<(u64, MediaTime)>,
    packets: Vec<ff::Packet>,
}

impl<'a> Rung<'a> {
    pub(super) fn new(
        plan: RungPlan,
        below: Option<SyncSender<Job>>,
        out: SyncSender<Piece>,
        counters: &'a Counters,
    ) -> Result<Self, MediaError> {
        let encoder = open(&plan).map_err(MediaError::av("cannot open x264"))?;
        Ok(Self {
            scaler: Scaler::new(plan.sized.width, plan.sized.height),
            muxer: Muxer::new(&plan.sized.rung.name, TIME_BASE),
            encoder,
            below,
            out,
            counters,
            cuts: VecDeque::new(),
            packets: Vec::new(),
            plan,
        })
    }

    /// Works until the end; dropping the sender without `Job::End` throws everything away.
    pub(super) fn work(mut self, jobs: Receiver<Job>) -> Result<(), RungError> {
        while let Ok(job) = jobs.recv() {
            match job {
                Job::Frame { frame, at, key } => self.frame(frame, at, key)?,
                Job::Cut { number, end } => {
                    self.forward(Job::Cut { number, end })?;
                    self.cuts.push_back((number, end));
                    self.finish_ready()?;
                }
                Job::End => {
                    self.forward(Job::End)?;
                    self.encoder.send_eof().map_err(MediaError::av("cannot flush x264"))?;
                    self.receive()?;
                    while let Some((number, end)) = self.cuts.pop_front() {
                        self.segment(number, end)?;
                    }
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    fn frame(&mut self, frame: Arc<frame::Video>, at: MediaTime, key: bool) -> Result<(), RungError> {
        let frame = if self.scaler.fits(&frame) {
            frame
        } else {
            let mut scaled = self.scaler.scale(&frame)?;
            scaled.set_pts(Some(at.ticks()));
            scaled.set_kind(if key { picture::Type::I } else { picture::Type::None });
            Arc::new(scaled)
        };
        if self.below.is_some() {
            self.forward(Job::Frame { frame: Arc::clone(&frame), at, key })?;
        }
        self.encoder.send_frame(&frame).map_err(MediaError::av("cannot encode a picture"))?;
        drop(frame);
        self.receive()
    }

    fn forward(&self, job: Job) -> Result<(), RungError> {
        self.below.as_ref().map_or(Ok(()), |below| below.send(job).map_err(|_| RungError::Disconnected))
    }

    fn receive(&mut self) -> Result<(), RungError> {
        loop {
            let mut packet = ff::Packet::empty();
            match self.encoder.receive_packet(&mut packet) {
                Ok(()) => {}
                Err(ff::Error::Eof | ff::Error::Other { errno: ff::error::EAGAIN }) => return Ok(()),
                Err(e) => return Err(MediaError::av("cannot take a picture from x264")(e).into()),
            }
            add(&self.counters.encoded, 1);
            self.packets.push(packet);
            self.finish_ready()?;
        }
    }

    /// Packets come in presentation order (no B-frames): one at or past a cut says that the segment is whole.
    fn finish_ready(&mut self) -> Result<(), RungError> {
        while let (Some(&(number, end)), Some(last)) = (self.cuts.front(), self.packets.last()) {
            if last.pts().unwrap_or(i64::MIN) < end.ticks() {
                break;
            }
            self.cuts.pop_front();
            self.segment(number, end)?;
        }
        Ok(())
    }

    fn segment(&mut self, number: u64, end: MediaTime) -> Result<(), RungError> {
        let mine = self.packets.iter().take_while(|p| p.pts().unwrap_or(i64::MIN) < end.ticks()).count();
        let rest = self.packets.split_off(mine);
        let mut packets = std::mem::replace(&mut self.packets, rest);
        let mut next = end.ticks();
        for packet in packets.iter_mut().rev() {
            let at = packet.pts().unwrap_or(next);
            packet.set_dts(Some(at));
            packet.set_duration(next - at);
            next = at;
        }
        let name = &self.plan.sized.rung.name;
        let malformed = |what| MediaError::Fragment { rendition: name.clone(), what };
        if !packets.first().is_some_and(ff::Packet::is_key) {
            return Err(malformed("no key frame first").into());
        }
        let fragment = self.muxer.fragment(&self.encoder, number, &mut packets)?;
        let segment = RenditionSegment {
            name: name.clone(),
            kind: RenditionKind::Video {
                width: self.plan.sized.width,
                height: self.plan.sized.height,
                frame_rate: self.plan.frame_rate,
            },
            codecs: codecs::avc(&fragment.init).ok_or_else(|| malformed("no avcC"))?,
            init: fragment.init,
            data: fragment.data,
            declared_bitrate: self.plan.declared_bitrate(),
        };
        let piece = Piece::Rendition { number, index: self.plan.index, segment };
        self.out.send(piece).map_err(|_| RungError::Disconnected)
    }
}

impl RungPlan {
    /// A segment can hold what the buffer held and what flows in while it plays.
    fn declared_bitrate(&self) -> u32 {
        let rung = &self.sized.rung;
        let buffer = f64::from(rung.buffer) / self.segment_duration.as_secs_f64();
        rung.maxrate.saturating_add(buffer as u32).saturating_add(CONTAINER_OVERHEAD)
    }
}

/// x264 as all renditions have it.
pub(super) fn open(plan: &RungPlan) -> Result<encoder::Video, ff::Error> {
    let codec = encoder::find_by_name("libx264").ok_or(ff::Error::EncoderNotFound)?;
    let mut video = codec::Context::new_with_codec(codec).encoder().video()?;
    let Sized { rung, width, height } = &plan.sized;
    video.set_width(*width);
    video.set_height(*height);
    video.set_format(ff::format::Pixel::YUV420P);
    video.set_aspect_ratio(ff::Rational(1, 1));
    video.set_time_base(TIME_BASE);
    video.set_frame_rate(Some(ff::Rational((plan.frame_rate * 1_000.0).round() as i32, 1_000)));
    video.set_colorspace(plan.colour.space);
    video.set_color_primaries(plan.colour.primaries);
    video.set_color_transfer_characteristic(plan.colour.transfer);
    video.set_color_range(ff::color::Range::MPEG);
    video.set_bit_rate(rung.bitrate as usize);
    video.set_max_bit_rate(rung.maxrate as usize);
    video.set_max_b_frames(0);
    video.set_flags(codec::Flags::GLOBAL_HEADER);
    let level = level(*width, *height, plan.frame_rate, rung.maxrate);
    let mut options = ff::Dictionary::new();
    options.set("preset", "veryfast");
    options.set("profile", "high");
    options.set("level", level);
    options.set("bufsize", &rung.buffer.to_string());
    options.set("forced-idr", "1");
    options.set("a53cc", "0");
    // Boundaries are ours: no key frame of its own choice. `stitchable` keeps content out of SPS and PPS, so that the
    // init segment is the same after a resume; `fps` feeds rate control, which else takes the time base for it.
    let params = format!(
        "keyint=infinite:min-keyint=1:scenecut=0:bframes=0:threads=1:sync-lookahead=0:rc-lookahead={}:stitchable=1:fps={}/1000",
        plan.lookahead,
        (plan.frame_rate * 1_000.0).round() as u32,
    );
    options.set("x264-params", &params);
    video.open_as_with(codec, options)
}
