//! One encoded rendition's thread: scale, encode, mux. Frames come from the rung above (a chain from large to small), cuts
//! come between them, finished parts go to the assembler.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender};

use ff::{encoder, frame, picture};
use ffmpeg_next as ff;

use super::scale::Scaler;
use super::x264::{Encoding, TIME_BASE};
use crate::media::error::MediaError;
use crate::media::package::assemble::{Piece, SegmentPart};
use crate::media::package::codecs;
use crate::media::package::mux::Muxer;
use crate::media::stages::{Meter, Stages};
use crate::media::stats::{Counters, add};
use crate::media::{Effort, MediaTime, RenditionKind, RenditionSegment};

/// Bits per second that `styp`, `moof` and `trun` add, rounded up: some 30 bytes a frame at 60 fps, and a header a part.
const CONTAINER_OVERHEAD: u32 = 18_000;

/// What flows down the chain.
#[derive(Clone)]
pub(crate) enum Job {
    Frame(Shown),
    Cut(Cut),
    /// Nothing follows; what lies at or after the last cut is dropped. Without it, everything is.
    End,
}

/// A picture with its PTS set.
#[derive(Clone)]
pub(crate) struct Shown {
    pub(crate) frame: Arc<frame::Video>,
    pub(crate) at: MediaTime,
    /// It must be decodable by itself.
    pub(crate) key: bool,
    /// It opens a segment, for which so much work is to be done.
    pub(crate) opens: Option<Effort>,
    /// Renditions at half the frame rate leave it out.
    pub(crate) odd: bool,
}

/// A part ends at `end`, the PTS of the next frame.
#[derive(Clone, Copy)]
pub(crate) struct Cut {
    pub(crate) place: SegmentPart,
    pub(crate) end: MediaTime,
}

/// What one rendition is to be.
pub(super) struct RungPlan {
    pub(crate) index: usize,
    /// How many renditions must be left out before this one; `None`: it never is.
    pub(crate) droppable: Option<usize>,
    pub(crate) encoding: Encoding,
    pub(crate) segment_duration: MediaTime,
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

/// A cut that waits for its last packet, the `sent`-th of all. The next one will be decoded at `end`.
struct Due {
    place: SegmentPart,
    sent: u64,
    end: MediaTime,
}

/// A rung at work.
pub(super) struct RungEncoder<'a> {
    plan: RungPlan,
    scaler: Scaler,
    /// Not there while the rendition is left out.
    encoder: Option<encoder::Video>,
    muxer: Muxer,
    below: Option<SyncSender<Job>>,
    out: SyncSender<Piece>,
    counters: &'a Counters,
    stages: &'a Stages,
    scaling: Meter,
    encoding: Meter,
    due: VecDeque<Due>,
    packets: Vec<ff::Packet>,
    /// When the pictures are shown that were sent behind the last cut.
    open: Vec<MediaTime>,
    /// Pictures before that cut; packets that came; packets that are muxed.
    sent: u64,
    received: u64,
    taken: u64,
}

impl<'a> RungEncoder<'a> {
    pub(crate) fn new(
        plan: RungPlan,
        below: Option<SyncSender<Job>>,
        out: SyncSender<Piece>,
        counters: &'a Counters,
        stages: &'a Stages,
    ) -> Result<Self, MediaError> {
        let sized = &plan.encoding.sized;
        Ok(Self {
            scaler: Scaler::new(sized.width, sized.height),
            muxer: Muxer::new(&sized.rung.name, TIME_BASE),
            encoder: None,
            below,
            out,
            counters,
            stages,
            scaling: Meter::default(),
            encoding: Meter::default(),
            due: VecDeque::new(),
            packets: Vec::new(),
            sent: 0,
            received: 0,
            taken: 0,
            open: Vec::new(),
            plan,
        })
    }

    /// Works until the end; dropping the sender without `Job::End` throws everything away.
    pub(crate) fn work(mut self, jobs: Receiver<Job>) -> Result<(), RungError> {
        let worked = self.take_all(&jobs);
        let name = &self.plan.encoding.sized.rung.name;
        self.stages.add(format!("scale {name}"), self.scaling.spent());
        self.stages.add(format!("encode {name}"), self.encoding.spent());
        worked
    }

    fn take_all(&mut self, jobs: &Receiver<Job>) -> Result<(), RungError> {
        while let Ok(job) = jobs.recv() {
            match job {
                Job::Frame(shown) => self.frame(shown)?,
                Job::Cut(cut) => {
                    self.forward(Job::Cut(cut))?;
                    if self.encoder.is_some() {
                        self.cut(cut);
                        self.finish_ready()?;
                    }
                }
                Job::End => {
                    self.forward(Job::End)?;
                    return self.retire();
                }
            }
        }
        Ok(())
    }

    fn frame(&mut self, shown: Shown) -> Result<(), RungError> {
        if self.plan.encoding.sized.halved && shown.odd {
            return Ok(());
        }
        if let Some(effort) = shown.opens {
            self.adapt(effort)?;
        }
        let frame = if self.scaler.fits(&shown.frame) {
            shown.frame
        } else {
            let Self { scaling, scaler, .. } = self;
            let mut scaled = scaling.measure(|| scaler.scale(&shown.frame))?;
            scaled.set_pts(Some(shown.at.ticks()));
            scaled.set_kind(if shown.key { picture::Type::I } else { picture::Type::None });
            Arc::new(scaled)
        };
        if self.below.is_some() {
            self.forward(Job::Frame(Shown { frame: Arc::clone(&frame), ..shown }))?;
        }
        let Some(encoder) = &mut self.encoder else { return Ok(()) };
        let sent = self.encoding.measure(|| encoder.send_frame(&frame));
        sent.map_err(MediaError::av("cannot encode a picture"))?;
        self.open.push(shown.at);
        drop(frame);
        self.receive()
    }

    /// Begins a segment with another encoder, or without one, if that is what the effort asks for.
    fn adapt(&mut self, effort: Effort) -> Result<(), RungError> {
        let left_out = self.plan.droppable.is_some_and(|place| place < usize::from(effort.dropped));
        let fits = self.plan.encoding.fast == effort.fast;
        if left_out || (self.encoder.is_some() && !fits) {
            self.retire()?;
        }
        if self.encoder.is_none() && !left_out {
            self.plan.encoding.fast = effort.fast;
            self.encoder = Some(self.plan.encoding.open().map_err(MediaError::av("cannot open x264"))?);
        }
        Ok(())
    }

    /// Takes what the encoder still has, and lets go of it.
    fn retire(&mut self) -> Result<(), RungError> {
        if let Some(encoder) = &mut self.encoder {
            let flushed = self.encoding.measure(|| encoder.send_eof());
            flushed.map_err(MediaError::av("cannot flush x264"))?;
            self.receive()?;
            while let Some(due) = self.due.pop_front() {
                self.part(&due)?;
            }
        }
        self.packets.clear();
        self.open.clear();
        (self.sent, self.received, self.taken) = (0, 0, 0);
        self.encoder = None;
        Ok(())
    }

    fn forward(&self, job: Job) -> Result<(), RungError> {
        self.below.as_ref().map_or(Ok(()), |below| below.send(job).map_err(|_| RungError::Disconnected))
    }

    fn receive(&mut self) -> Result<(), RungError> {
        loop {
            let Some(encoder) = &mut self.encoder else { return Ok(()) };
            let mut packet = ff::Packet::empty();
            match self.encoding.measure(|| encoder.receive_packet(&mut packet)) {
                Ok(()) => {}
                Err(ff::Error::Eof | ff::Error::Other { errno: ff::error::EAGAIN }) => return Ok(()),
                Err(e) => return Err(MediaError::av("cannot take a picture from x264")(e).into()),
            }
            add(&self.counters.encoded, 1);
            self.received += 1;
            self.packets.push(packet);
            self.finish_ready()?;
        }
    }

    fn cut(&mut self, Cut { place, end }: Cut) {
        let mine = self.open.iter().take_while(|at| **at < end).count();
        // With B-frames x264 decodes each picture when the one before it in order is shown.
        let last = self.open[..mine].last().copied().filter(|_| self.plan.encoding.b_frames() > 0);
        self.open.drain(..mine);
        self.sent += mine as u64;
        self.due.push_back(Due { place, sent: self.sent, end: last.unwrap_or(end) });
    }

    /// A segment's packets are as many as its pictures, for each begins with an IDR; and so are a part's, for low latency
    /// has no B-frames.
    fn finish_ready(&mut self) -> Result<(), RungError> {
        while self.due.front().is_some_and(|due| self.received >= due.sent)
            && let Some(due) = self.due.pop_front()
        {
            self.part(&due)?;
        }
        Ok(())
    }

    fn part(&mut self, &Due { place, sent, end }: &Due) -> Result<(), RungError> {
        let Some(encoder) = &self.encoder else { return Ok(()) };
        let mine = usize::try_from(sent - self.taken).unwrap_or(usize::MAX).min(self.packets.len());
        self.taken = sent;
        let rest = self.packets.split_off(mine);
        let mut packets = std::mem::replace(&mut self.packets, rest);
        let mut next = end.ticks();
        for packet in packets.iter_mut().rev() {
            let at = packet.dts().unwrap_or(next);
            packet.set_duration(next - at);
            next = at;
        }
        let sized = &self.plan.encoding.sized;
        let malformed = |what| MediaError::Fragment { rendition: sized.rung.name.clone(), what };
        if place.1 == 0 && !packets.first().is_some_and(ff::Packet::is_key) {
            return Err(malformed("no key frame first").into());
        }
        let fragment = self.muxer.fragment(encoder, place, &mut packets, &self.counters.refused)?;
        let segment = RenditionSegment {
            name: sized.rung.name.clone(),
            kind: RenditionKind::Video {
                width: sized.width,
                height: sized.height,
                frame_rate: self.plan.encoding.frame_rate,
            },
            codecs: codecs::avc(&fragment.init).ok_or_else(|| malformed("no avcC"))?,
            init: fragment.init,
            data: fragment.data,
            declared_bitrate: self.plan.declared_bitrate(),
            copied: false,
        };
        let piece = Piece::Rendition { place, index: self.plan.index, segment };
        self.out.send(piece).map_err(|_| RungError::Disconnected)
    }
}

impl RungPlan {
    /// A segment can hold what the buffer held and what flows in while it plays.
    fn declared_bitrate(&self) -> u32 {
        let rung = &self.encoding.sized.rung;
        let buffer = f64::from(rung.buffer) / self.segment_duration.as_secs_f64();
        rung.maxrate.saturating_add(buffer as u32).saturating_add(CONTAINER_OVERHEAD)
    }
}
