//! Makes Matroska of a run whose codecs FFmpeg's FLV demuxer misreads: HEVC and AV1 in the form of Enhanced RTMP came to
//! it with 6.1, and 5.1 takes them for VP6. Runs it knows go through untouched. It knows nothing of libav, decodes
//! nothing, and reads no further ahead than the tag it is at.
//!
//! It goes when the image's FFmpeg is 6.1 or newer (Debian 13 has 7.1): `source/needed.rs` fails the build then.

mod converter;
mod ebml;
mod matroska;
mod sniff;
mod tags;
#[cfg(test)]
mod tests;

use std::io::{self, Cursor, Read};

use headwater_rtmp::flv::FILE_HEADER_LEN;

use self::converter::{Conversion, Converter};
use self::sniff::Form;

/// What follows a run's bytes on their way into a demuxer.
pub trait Watch {
    /// FLV, as it is handed on.
    fn flv(&mut self, bytes: &[u8]);
    /// A media tag with these bits of its cursor and this DTS, in milliseconds, became what starts at `position`.
    fn media(&mut self, position: u64, cursor_bits: u32, dts: i64);
}

/// What a demuxer is given.
pub enum Container<R, W> {
    /// The run as it came.
    Flv(FlvReader<R, W>),
    /// What was made of it.
    Matroska(Remuxer<R, W>),
}

/// The run with what was read ahead.
type Whole<R> = io::Chain<Cursor<Vec<u8>>, R>;

/// Looks at the start of a run, which blocks until its first media is there.
///
/// # Errors
/// Those of `reader`.
pub fn open<R: Read, W: Watch>(mut reader: R, watch: W) -> io::Result<Container<R, W>> {
    let mut head = Vec::new();
    let form = sniff::sniff(&mut reader, &mut head)?;
    let mut head = Cursor::new(head);
    Ok(match form {
        Form::Classic => Container::Flv(FlvReader { inner: head.chain(reader), watch }),
        Form::Enhanced => {
            head.set_position(FILE_HEADER_LEN as u64);
            Container::Matroska(Remuxer {
                inner: head.chain(reader),
                watch,
                converter: Converter::default(),
                out: Vec::new(),
                taken: 0,
                before: 0,
                over: false,
            })
        }
    })
}

/// Hands the bytes on.
pub struct FlvReader<R, W> {
    inner: Whole<R>,
    watch: W,
}

impl<R: Read, W: Watch> Read for FlvReader<R, W> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buf)?;
        self.watch.flv(&buf[..count.min(buf.len())]);
        Ok(count)
    }
}

/// Hands on what [`Converter`] makes of the tags.
pub struct Remuxer<R, W> {
    inner: Whole<R>,
    watch: W,
    converter: Converter,
    /// What was made of one tag, of which `taken` bytes are gone.
    out: Vec<u8>,
    taken: usize,
    /// Bytes handed on before `out`.
    before: u64,
    over: bool,
}

impl<R: Read, W: Watch> Remuxer<R, W> {
    /// Takes one tag; false at the end.
    fn step(&mut self) -> io::Result<bool> {
        let Some(tag) = tags::read_tag(&mut self.inner)? else { return Ok(false) };
        self.before += self.out.len() as u64;
        self.out.clear();
        self.taken = 0;
        let start = match self.converter.take(&tag, &mut self.out) {
            Conversion::NoMedia => return Ok(true),
            Conversion::Over => return Ok(false),
            Conversion::Skipped => 0,
            Conversion::Block(start) => start,
        };
        self.watch.media(self.before + start as u64, tag.cursor_bits, tag.millis.into());
        Ok(true)
    }
}

impl<R: Read, W: Watch> Read for Remuxer<R, W> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        while self.taken == self.out.len() && !self.over {
            self.over = !self.step()?;
        }
        let rest = &self.out[self.taken..];
        let count = rest.len().min(buf.len());
        buf[..count].copy_from_slice(&rest[..count]);
        self.taken += count;
        Ok(count)
    }
}
