//! The source's own AAC as the audio rendition: frames are laid on the grid as they are. A gap is filled with frames of
//! silence, a clock that drifts by most of a frame costs or gains one.

use std::collections::VecDeque;

use ff::codec::{self, profile};
use ffmpeg_next as ff;

use super::aac::Aac;
use crate::media::decode::AudioDecoder;
use crate::media::error::MediaError;
use crate::media::stats::{Counters, add};
use crate::media::{FRAME_SAMPLES, GridFrame, MediaTime, SAMPLE_RATE};

/// Samples of a frame.
const FRAME: i64 = FRAME_SAMPLES as i64;
/// Bits per second beyond which sound is encoded anew: with it alone a stream must fit into 192 kbit/s
/// (Apple HLS authoring specification 9.21).
const MAX_BITRATE: i64 = 170_000;
/// Samples by which a frame may lie beside its place and still be jitter: 50 ms, and what laying it on the grid shifts.
const MAX_JITTER: i64 = 2_400 + FRAME / 2;
/// Samples (1 s) that a frame may say it is played before the end of those that came before it, and still follow them:
/// capture buffers of up to half a second are stamped once, and some stamps lie in the past.
const MAX_BEHIND: i64 = 48_000;
/// Frames in a row that may be behind without sharing a time (1.5 s): more are an overlap.
const MAX_BEHIND_FRAMES: u32 = 70;
/// Samples of steady difference at which a frame is put in or left out: with half a frame for the grid under 40 ms.
const MAX_DRIFT: f64 = 768.0;
/// Frames over which the difference is averaged (about 0.7 s).
const SMOOTHING: f64 = 1.0 / 32.0;

/// Frames of one run, in order.
pub(super) struct CopiedAudio {
    /// For the muxer.
    codec: codec::Context,
    /// Only to know that it can be decoded: what cannot would end the viewers' playback.
    decoder: AudioDecoder,
    silence: ff::Packet,
    channels: u16,
    out: VecDeque<(GridFrame, ff::Packet)>,
    next: GridFrame,
    /// Where the next packet belongs by counting.
    count: Option<u64>,
    /// When the last packet said it is played.
    last: Option<i64>,
    /// Frames in a row that were behind.
    behind: u32,
    drift: f64,
}

impl CopiedAudio {
    /// `None` if the source is something else than what we would make of it ourselves. That shows in its first packet:
    /// the container's word is not to be relied on (FLV says 44.1 kHz of all AAC).
    pub(crate) fn open(
        parameters: codec::Parameters,
        first: &ff::Packet,
        from: GridFrame,
    ) -> Result<Option<Self>, MediaError> {
        if parameters.id() != codec::Id::AAC || parameters.bit_rate() > MAX_BITRATE {
            return Ok(None);
        }
        let Ok(mut decoder) = AudioDecoder::open(parameters) else { return Ok(None) };
        let mut heard = Vec::new();
        let errors = decoder.decode(Some(first), &mut heard);
        let is_ours = errors == 0
            // Frames of 960 samples (ISO/IEC 14496-3 4.4.1) do not fit the grid.
            && heard.iter().all(|one| one.samples() == FRAME_SAMPLES)
            && decoder.profile() == codec::Profile::AAC(profile::AAC::Low)
            && decoder.rate() == SAMPLE_RATE
            && (1..=2).contains(&decoder.channels());
        if !is_ours {
            return Ok(None);
        }
        let codec = decoder.track()?;
        let channels = decoder.channels();
        let silence = silence(channels)?;
        Ok(Some(Self {
            codec,
            decoder,
            silence,
            channels,
            out: VecDeque::new(),
            next: from,
            count: None,
            last: None,
            behind: 0,
            drift: 0.0,
        }))
    }

    pub(crate) fn context(&self) -> &codec::Context {
        &self.codec
    }

    pub(crate) fn channels(&self) -> u16 {
        self.channels
    }

    /// The first frame there is not yet.
    pub(crate) fn next(&self) -> GridFrame {
        self.next
    }

    pub(crate) fn heard(&self) -> bool {
        self.count.is_some()
    }

    /// Takes a packet that is played at `at`.
    pub(crate) fn push(&mut self, packet: &ff::Packet, at: MediaTime, counters: &Counters) {
        let errors = self.decoder.decode(Some(packet), &mut Vec::new());
        add(&counters.audio_errors, errors);
        let at = at.sample();
        let nearest = || u64::try_from((at + FRAME / 2).div_euclid(FRAME)).unwrap_or(0);
        // Frames that share a time follow each other: only the first says something of the clock.
        let is_fresh = self.last.replace(at).is_none_or(|last| (at - last).abs() >= FRAME / 2);
        let beside = self.count.map(|count| at - count as i64 * FRAME);
        let is_near = beside.is_some_and(|beside| beside.abs() <= MAX_JITTER);
        let is_behind = beside.is_some_and(|beside| (-MAX_BEHIND..-MAX_JITTER).contains(&beside));
        self.behind = if is_behind && is_fresh {
            self.behind + 1
        } else if is_near {
            0
        } else {
            self.behind
        };
        let follows = is_near || (is_behind && (!is_fresh || self.behind <= MAX_BEHIND_FRAMES));
        let mut place = match self.count {
            Some(count) if follows => count,
            _ => {
                let place = nearest();
                (self.drift, self.behind) = ((at - place as i64 * FRAME) as f64, 0);
                place
            }
        };
        if is_fresh && !is_behind {
            self.drift += ((at - place as i64 * FRAME) as f64 - self.drift) * SMOOTHING;
        }
        if self.drift > MAX_DRIFT {
            self.drift -= FRAME as f64;
            place += 1;
            add(&counters.drift_samples, FRAME as u64);
        } else if self.drift < -MAX_DRIFT {
            self.drift += FRAME as f64;
            add(&counters.drift_samples, FRAME as u64);
            return;
        }
        self.count = Some(place + 1);
        if place < self.next.index() {
            return;
        }
        self.fill(GridFrame::new(place), counters);
        let packet = if errors == 0 { packet.clone() } else { self.silence.clone() };
        self.put(packet, counters);
    }

    /// Puts silence until every frame before `to` is there.
    pub(crate) fn fill(&mut self, to: GridFrame, counters: &Counters) {
        while self.next < to {
            add(&counters.silence_samples, FRAME as u64);
            self.put(self.silence.clone(), counters);
        }
    }

    /// Packets of the frames before `to`.
    pub(crate) fn take(&mut self, to: GridFrame) -> Vec<ff::Packet> {
        let n = self.out.iter().take_while(|(at, _)| *at < to).count();
        self.out.drain(..n).map(|(_, packet)| packet).collect()
    }

    fn put(&mut self, mut packet: ff::Packet, counters: &Counters) {
        add(&counters.audio_frames, 1);
        let sample = self.next.sample() as i64;
        packet.set_pts(Some(sample));
        packet.set_dts(Some(sample));
        packet.set_duration(FRAME);
        self.out.push_back((self.next, packet));
        self.next = self.next.next();
    }
}

/// A frame of silence, from an encoder that has settled.
fn silence(channels: u16) -> Result<ff::Packet, MediaError> {
    let mut aac = Aac::open(channels, 128_000, GridFrame::new(0))?;
    let planes = vec![vec![0.0; FRAME_SAMPLES]; usize::from(channels)];
    for frame in 0..4 {
        aac.encode(GridFrame::new(frame), &planes)?;
    }
    aac.finish()?;
    let no_frame = MediaError::Fragment { rendition: crate::media::AUDIO.to_owned(), what: "no frames" };
    aac.take(GridFrame::new(4)).pop().ok_or(no_frame)
}
