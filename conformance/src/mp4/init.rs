//! Initialization sections: `ftyp` and `moov`.

use super::boxes::{Cursor, boxes, find, need};
use super::sample_entry::{self, Codec};
use super::{Mp4Error, Result};

/// Tracks that are looked at; CMAF allows one.
const MAX_TRACKS: usize = 16;

/// What kind of media a track has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Handler {
    Video,
    Audio,
    Other,
}

/// What every sample of a track has unless its fragment says something else (`trex`).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Defaults {
    pub(super) duration: u32,
    pub(super) size: u32,
    pub(super) flags: u32,
}

/// One track.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Track {
    pub(crate) id: u32,
    pub(crate) handler: Handler,
    pub(crate) timescale: u32,
    pub(crate) codec: Codec,
    /// As displayed, from `tkhd`.
    pub(crate) size: (u32, u32),
    /// Time in the media at which its presentation begins, from the edit list.
    pub(super) edit: i64,
    pub(super) defaults: Defaults,
}

/// A whole initialization section.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Init {
    pub(crate) tracks: Vec<Track>,
}

impl Init {
    pub(crate) fn read(bytes: &[u8]) -> Result<Self> {
        if find(bytes, b"moof")?.is_some() || find(bytes, b"mdat")?.is_some() {
            return Err(Mp4Error::Invalid("an initialization section has media".into()));
        }
        need(bytes, b"ftyp", "ftyp")?;
        let moov = need(bytes, b"moov", "moov")?;
        let mvex = need(moov, b"mvex", "mvex")?;
        let mut tracks = Vec::new();
        for found in boxes(moov) {
            let found = found?;
            if found.kind == *b"trak" {
                if tracks.len() == MAX_TRACKS {
                    return Err(Mp4Error::Invalid("too many tracks".into()));
                }
                tracks.push(track(found.body, mvex)?);
            }
        }
        if tracks.is_empty() {
            return Err(Mp4Error::Missing("trak"));
        }
        Ok(Self { tracks })
    }
}

fn track(trak: &[u8], mvex: &[u8]) -> Result<Track> {
    let mut tkhd = Cursor::new("tkhd", need(trak, b"tkhd", "tkhd")?);
    let (version, _) = tkhd.version_and_flags()?;
    tkhd.take(if version == 0 { 8 } else { 16 })?;
    let id = tkhd.u32()?;
    // Reserved, duration, layer and volume, matrix.
    tkhd.take(if version == 0 { 8 } else { 12 } + 16 + 36)?;
    let size = (tkhd.u32()? >> 16, tkhd.u32()? >> 16);
    let mdia = need(trak, b"mdia", "mdia")?;
    let mut mdhd = Cursor::new("mdhd", need(mdia, b"mdhd", "mdhd")?);
    let (version, _) = mdhd.version_and_flags()?;
    mdhd.take(if version == 0 { 8 } else { 16 })?;
    let timescale = mdhd.u32()?;
    if timescale == 0 {
        return Err(Mp4Error::Invalid("the timescale is 0".into()));
    }
    let mut hdlr = Cursor::new("hdlr", need(mdia, b"hdlr", "hdlr")?);
    hdlr.take(8)?;
    let handler = match &hdlr.array::<4>()? {
        b"vide" => Handler::Video,
        b"soun" => Handler::Audio,
        _ => Handler::Other,
    };
    let minf = need(mdia, b"minf", "minf")?;
    let stbl = need(minf, b"stbl", "stbl")?;
    let codec = sample_entry::codec(need(stbl, b"stsd", "stsd")?)?;
    Ok(Track { id, handler, timescale, codec, size, edit: edit(trak)?, defaults: defaults(mvex, id)? })
}

/// The media time of the first edit that is not empty; there is none in what needs no shifting.
fn edit(trak: &[u8]) -> Result<i64> {
    let Some(edts) = find(trak, b"edts")? else { return Ok(0) };
    let Some(elst) = find(edts.body, b"elst")? else { return Ok(0) };
    let mut elst = Cursor::new("elst", elst.body);
    let (version, _) = elst.version_and_flags()?;
    for _ in 0..elst.u32()? {
        elst.by_version(version)?;
        let time = match version {
            0 => i64::from(elst.i32()?),
            _ => i64::from_be_bytes(elst.array()?),
        };
        elst.take(4)?;
        if time >= 0 {
            return Ok(time);
        }
    }
    Ok(0)
}

fn defaults(mvex: &[u8], id: u32) -> Result<Defaults> {
    for found in boxes(mvex) {
        let found = found?;
        if found.kind != *b"trex" {
            continue;
        }
        let mut trex = Cursor::new("trex", found.body);
        trex.take(4)?;
        let track = trex.u32()?;
        trex.take(4)?;
        if track == id {
            return Ok(Defaults { duration: trex.u32()?, size: trex.u32()?, flags: trex.u32()? });
        }
    }
    Err(Mp4Error::Missing("trex of the track"))
}
