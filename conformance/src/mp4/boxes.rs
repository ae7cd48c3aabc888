//! Boxes within bytes, and numbers within boxes. Nothing here allocates.

use super::{Mp4Error, Result};

/// One box.
#[derive(Debug, Clone, Copy)]
pub(super) struct Boxed<'a> {
    pub(super) kind: [u8; 4],
    /// Where its header begins in the bytes it was found in.
    pub(super) start: usize,
    /// Where it ends there.
    pub(super) end: usize,
    pub(super) body: &'a [u8],
}

/// The boxes that fill `bytes`; ends after the first that does not fit.
pub(super) fn boxes(bytes: &[u8]) -> impl Iterator<Item = Result<Boxed<'_>>> {
    let mut at = 0;
    std::iter::from_fn(move || {
        if at >= bytes.len() {
            return None;
        }
        let found = next(bytes, at);
        at = found.as_ref().map_or(bytes.len(), |one| one.end);
        Some(found)
    })
}

fn next(bytes: &[u8], start: usize) -> Result<Boxed<'_>> {
    let mut cursor = Cursor::new("a box header", &bytes[start..]);
    let small = cursor.u32()?;
    let kind = cursor.array()?;
    let (size, header) = match small {
        0 => ((bytes.len() - start) as u64, 8),
        1 => (cursor.u64()?, 16),
        size => (u64::from(size), 8),
    };
    let end = usize::try_from(size).ok().and_then(|size| start.checked_add(size));
    match end {
        Some(end) if size >= header as u64 && end <= bytes.len() => {
            Ok(Boxed { kind, start, end, body: &bytes[start + header..end] })
        }
        _ => Err(Mp4Error::Size { at: start, size }),
    }
}

/// The first box of a kind.
pub(super) fn find<'a>(bytes: &'a [u8], kind: &[u8; 4]) -> Result<Option<Boxed<'a>>> {
    for found in boxes(bytes) {
        let found = found?;
        if found.kind == *kind {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

/// The same when it must be there.
pub(super) fn need<'a>(bytes: &'a [u8], kind: &[u8; 4], name: &'static str) -> Result<&'a [u8]> {
    Ok(find(bytes, kind)?.ok_or(Mp4Error::Missing(name))?.body)
}

/// Reads big-endian numbers.
#[derive(Debug, Clone)]
pub(super) struct Cursor<'a> {
    what: &'static str,
    rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    pub(super) fn new(what: &'static str, rest: &'a [u8]) -> Self {
        Self { what, rest }
    }

    pub(super) fn take(&mut self, count: usize) -> Result<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or(Mp4Error::Truncated(self.what))?;
        self.rest = rest;
        Ok(taken)
    }

    pub(super) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let (taken, rest) = self.rest.split_first_chunk().ok_or(Mp4Error::Truncated(self.what))?;
        self.rest = rest;
        Ok(*taken)
    }

    pub(super) fn u8(&mut self) -> Result<u8> {
        Ok(self.array::<1>()?[0])
    }

    pub(super) fn u16(&mut self) -> Result<u16> {
        self.array().map(u16::from_be_bytes)
    }

    pub(super) fn u32(&mut self) -> Result<u32> {
        self.array().map(u32::from_be_bytes)
    }

    pub(super) fn i32(&mut self) -> Result<i32> {
        self.array().map(i32::from_be_bytes)
    }

    pub(super) fn u64(&mut self) -> Result<u64> {
        self.array().map(u64::from_be_bytes)
    }

    /// A full box's version and flags.
    pub(super) fn version_and_flags(&mut self) -> Result<(u8, u32)> {
        let both = self.u32()?;
        Ok(((both >> 24) as u8, both & 0x00ff_ffff))
    }

    /// Four bytes in version 0 of a box, eight in version 1.
    pub(super) fn by_version(&mut self, version: u8) -> Result<u64> {
        if version == 0 { self.u32().map(u64::from) } else { self.u64() }
    }
}
