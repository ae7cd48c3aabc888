//! Media segments and parts: `styp`, and `moof` with `mdat` once or more.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use super::boxes::{Boxed, Cursor, boxes, need};
use super::init::{Defaults, Track};
use super::{Codec, Mp4Error, Result};
use crate::h264::{Picture, picture};

/// Samples of one segment: ten minutes of AAC frames.
const MAX_SAMPLES: usize = 30_000;

/// One frame of video or audio.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Sample {
    /// In the track's timescale, decode order.
    pub(crate) dts: i64,
    /// When it is shown.
    pub(crate) pts: i64,
    pub(crate) duration: u32,
    pub(crate) size: u32,
    /// Flagged as a place to begin.
    pub(crate) sync: bool,
    /// Tells its bytes from those of another.
    pub(crate) digest: u64,
    /// Of H.264 only.
    pub(crate) picture: Option<Picture>,
}

/// One `moof`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Fragment {
    pub(crate) sequence: u32,
    /// Track fragments in it.
    pub(crate) tracks: usize,
    pub(crate) track_id: u32,
    pub(crate) default_base_is_moof: bool,
    /// `tfdt`; CMAF requires it.
    pub(crate) decode_time: Option<u64>,
    /// Its decode time and its samples' durations.
    pub(crate) end: u64,
}

/// One segment or part.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Media {
    pub(crate) bytes: usize,
    /// Major brand of `styp`.
    pub(crate) styp: Option<[u8; 4]>,
    pub(crate) fragments: Vec<Fragment>,
    pub(crate) samples: Vec<Sample>,
    pub(crate) timescale: u32,
}

impl Media {
    pub(crate) fn read(bytes: &[u8], track: &Track) -> Result<Self> {
        let mut media = Self { bytes: bytes.len(), timescale: track.timescale, ..Self::default() };
        let all = boxes(bytes).collect::<Result<Vec<_>>>()?;
        for (index, found) in all.iter().enumerate() {
            match &found.kind {
                b"styp" if index == 0 => media.styp = Some(Cursor::new("styp", found.body).array()?),
                b"moof" => media.moof(bytes, found, &all[index + 1..], track)?,
                b"moov" | b"ftyp" => {
                    return Err(Mp4Error::Invalid("a segment has an initialization section".into()));
                }
                _ => {}
            }
        }
        if media.fragments.is_empty() {
            return Err(Mp4Error::Missing("moof"));
        }
        Ok(media)
    }

    /// Seconds of all samples.
    pub(crate) fn seconds(&self) -> f64 {
        let ticks: u64 = self.samples.iter().map(|sample| u64::from(sample.duration)).sum();
        ticks as f64 / f64::from(self.timescale)
    }

    /// When its first picture or sound is shown, in seconds.
    pub(crate) fn start(&self) -> Option<f64> {
        Some(self.samples.first()?.pts as f64 / f64::from(self.timescale))
    }

    fn moof(&mut self, bytes: &[u8], moof: &Boxed<'_>, after: &[Boxed<'_>], track: &Track) -> Result<()> {
        let mut mfhd = Cursor::new("mfhd", need(moof.body, b"mfhd", "mfhd")?);
        mfhd.take(4)?;
        let sequence = mfhd.u32()?;
        let trafs = boxes(moof.body).filter(|one| one.as_ref().is_ok_and(|one| one.kind == *b"traf")).count();
        let traf = need(moof.body, b"traf", "traf")?;
        let mut tfhd = Cursor::new("tfhd", need(traf, b"tfhd", "tfhd")?);
        let (_, flags) = tfhd.version_and_flags()?;
        let track_id = tfhd.u32()?;
        let base = if flags & 1 != 0 { tfhd.u64()? } else { moof.start as u64 };
        if flags & 2 != 0 {
            tfhd.u32()?;
        }
        let mut field = |bit: u32, default| if flags & bit != 0 { tfhd.u32() } else { Ok(default) };
        let defaults = Defaults {
            duration: field(8, track.defaults.duration)?,
            size: field(16, track.defaults.size)?,
            flags: field(32, track.defaults.flags)?,
        };
        let decode_time = match super::boxes::find(traf, b"tfdt")? {
            Some(tfdt) => {
                let mut tfdt = Cursor::new("tfdt", tfdt.body);
                let (version, _) = tfdt.version_and_flags()?;
                Some(tfdt.by_version(version)?)
            }
            None => None,
        };
        // Only this fragment's own data, up to the next moof.
        let mdats: Vec<_> = after
            .iter()
            .take_while(|one| one.kind != *b"moof")
            .filter(|one| one.kind == *b"mdat")
            .map(|one| (one.end - one.body.len(), one.end))
            .collect();
        let previous = self.fragments.last().map_or(0, |one| one.end);
        let begins = decode_time.unwrap_or(previous);
        let mut runs = Runs { bytes, mdats, base, at: base, time: begins, defaults, track };
        for found in boxes(traf) {
            let found = found?;
            if found.kind == *b"trun" {
                runs.trun(found.body, &mut self.samples)?;
            }
        }
        let end = runs.time;
        let default_base_is_moof = flags & 0x02_0000 != 0 && flags & 1 == 0;
        self.fragments.push(Fragment {
            sequence,
            tracks: trafs,
            track_id,
            default_base_is_moof,
            decode_time,
            end,
        });
        Ok(())
    }
}

/// Where the samples of one fragment are, as its runs tell.
struct Runs<'a> {
    bytes: &'a [u8],
    /// Where its data begin and end.
    mdats: Vec<(usize, usize)>,
    base: u64,
    at: u64,
    time: u64,
    defaults: Defaults,
    track: &'a Track,
}

impl<'a> Runs<'a> {
    fn trun(&mut self, body: &[u8], samples: &mut Vec<Sample>) -> Result<()> {
        let mut trun = Cursor::new("trun", body);
        let (version, flags) = trun.version_and_flags()?;
        let count = trun.u32()? as usize;
        if samples.len().saturating_add(count) > MAX_SAMPLES {
            return Err(Mp4Error::Invalid(format!("{count} samples in one run")));
        }
        if flags & 1 != 0 {
            let offset = i64::from(trun.i32()?);
            self.at =
                self.base.checked_add_signed(offset).ok_or(Mp4Error::Truncated("data before the file"))?;
        }
        let first_flags = if flags & 4 != 0 { Some(trun.u32()?) } else { None };
        for index in 0..count {
            let mut field = |bit: u32, default| if flags & bit != 0 { trun.u32() } else { Ok(default) };
            let duration = field(0x100, self.defaults.duration)?;
            let size = field(0x200, self.defaults.size)?;
            let own = field(0x400, self.defaults.flags)?;
            let flags_of_this = if index == 0 { first_flags.unwrap_or(own) } else { own };
            let offset = match (flags & 0x800 != 0, version) {
                (false, _) => 0,
                (true, 0) => i64::from(trun.u32()?),
                (true, _) => i64::from(trun.i32()?),
            };
            let data = self.data(size)?;
            let picture = match &self.track.codec {
                Codec::Avc(avc) => {
                    Some(picture(data, avc.length_size, &avc.parameter_sets).map_err(Mp4Error::Invalid)?)
                }
                Codec::Aac(_) | Codec::Other(_) => None,
            };
            let mut hasher = DefaultHasher::new();
            data.hash(&mut hasher);
            let dts = i64::try_from(self.time).map_err(|_| Mp4Error::Invalid("time beyond 2^63".into()))?;
            let pts = dts.saturating_add(offset).saturating_sub(self.track.edit);
            // sample_is_non_sync_sample (ISO/IEC 14496-12 §8.8.3.1).
            let sync = flags_of_this & 0x0001_0000 == 0;
            samples.push(Sample { dts, pts, duration, size, sync, digest: hasher.finish(), picture });
            self.time = self.time.saturating_add(duration.into());
        }
        Ok(())
    }

    /// The next sample's bytes, which must be within this fragment's `mdat`.
    fn data(&mut self, size: u32) -> Result<&'a [u8]> {
        let outside = Mp4Error::Invalid("a sample is outside its mdat".into());
        let start = usize::try_from(self.at).map_err(|_| outside.clone())?;
        let end = start.checked_add(size as usize).ok_or(outside.clone())?;
        if !self.mdats.iter().any(|(from, to)| *from <= start && end <= *to) {
            return Err(outside);
        }
        self.at = end as u64;
        Ok(&self.bytes[start..end])
    }
}
