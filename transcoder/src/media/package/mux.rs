//! Packets in, one CMAF fragment out. One muxer per fragment: libavformat's own fragmenting cannot be told by the safe
//! API to cut where we want, and a muxer that lives long would have to be restored after a resume.

use std::io::{self, Write};
use std::mem;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use bytes::Bytes;
use ff::codec;
use ff::format::context::StreamIo;
use ffmpeg_next as ff;
use parking_lot::Mutex;

use super::assemble::SegmentPart;
use super::codecs::boxes;
use crate::media::error::MediaError;
use crate::media::stats::add;

/// `styp` of a CMAF media segment.
const STYP: &[u8] = b"\0\0\0\x18stypmsdh\0\0\0\0msdhmsix";

/// Room in mfhd's sequence numbers for the parts of a segment.
const PARTS_PER_SEGMENT: u64 = 64;

/// What libavformat says of a packet that it will not take.
const REFUSED: [ff::Error; 2] = [ff::Error::Other { errno: ff::error::EINVAL }, ff::Error::InvalidData];

/// One rendition's muxer settings; remembers the init segment to hold every fragment to it.
pub(crate) struct Muxer {
    rendition: String,
    time_base: ff::Rational,
    init: Option<Bytes>,
}

/// `init` and media of one part; the first of a segment begins with `styp`.
pub(crate) struct Fragment {
    pub(crate) init: Bytes,
    pub(crate) data: Bytes,
}

/// What a muxer writes to; its clones share the bytes.
#[derive(Clone, Default)]
pub(crate) struct Buffer(Arc<Mutex<Vec<u8>>>);

impl Buffer {
    /// Everything written so far.
    pub(crate) fn take(&self) -> Vec<u8> {
        mem::take(&mut *self.0.lock())
    }
}

impl Write for Buffer {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.0.lock().extend_from_slice(buf);
        Ok(buf.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Muxer {
    pub(crate) fn new(rendition: &str, time_base: ff::Rational) -> Self {
        Self { rendition: rendition.to_owned(), time_base, init: None }
    }

    /// Muxes packets whose times are T in the muxer's time base; each carries its duration. Counts those it must leave out.
    pub(crate) fn fragment(
        &mut self,
        codec: &codec::Context,
        place: SegmentPart,
        packets: &mut [ff::Packet],
        refused: &AtomicU64,
    ) -> Result<Fragment, MediaError> {
        let bytes = self.mux(codec, place, packets, refused).map_err(MediaError::av("cannot mux"))?;
        let malformed = |what| MediaError::Fragment { rendition: self.rendition.clone(), what };
        let mut moofs = boxes(&bytes).filter(|b| b.kind == *b"moof");
        let split = moofs.next().ok_or_else(|| malformed("no moof"))?.start;
        if moofs.next().is_some() {
            return Err(malformed("more than one moof"));
        }
        let (init, media) = bytes.split_at(split);
        let init = match &self.init {
            Some(first) if first == init => first.clone(),
            Some(_) => return Err(MediaError::InitChanged { rendition: self.rendition.clone() }),
            None => self.init.insert(Bytes::copy_from_slice(init)).clone(),
        };
        let styp = if place.1 == 0 { STYP } else { &[] };
        Ok(Fragment { init, data: [styp, media].concat().into() })
    }

    fn mux(
        &self,
        codec: &codec::Context,
        (number, part): SegmentPart,
        packets: &mut [ff::Packet],
        refused: &AtomicU64,
    ) -> Result<Vec<u8>, ff::Error> {
        let buffer = Buffer::default();
        let io = StreamIo::from_write(buffer.clone())?;
        let mut output = ff::format::output_to_stream(io, None, Some("mp4"))?;
        output.add_stream_with(codec)?.set_time_base(self.time_base);
        let mut options = ff::Dictionary::new();
        options.set("movflags", "empty_moov+default_base_moof+frag_custom+frag_discont+skip_trailer");
        options.set("use_editlist", "0");
        options.set("avoid_negative_ts", "disabled");
        // mfhd's sequence number is 32 bits and must only rise from one fragment to the next.
        let fragment = number % (1 << 24) * PARTS_PER_SEGMENT + u64::from(part) % PARTS_PER_SEGMENT + 1;
        options.set("fragment_index", &fragment.to_string());
        output.write_header_with(options)?;
        for (index, packet) in packets.iter_mut().enumerate() {
            packet.set_stream(0);
            match packet.write(&mut output) {
                // A packet costs itself, not the run. Without its first one a fragment cannot be decoded.
                Err(error) if index > 0 && REFUSED.contains(&error) => add(refused, 1),
                written => drop(written?),
            }
        }
        output.write_trailer()?;
        drop(output);
        Ok(buffer.take())
    }
}
