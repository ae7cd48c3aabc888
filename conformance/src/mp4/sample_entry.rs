//! What a track is coded with: `avcC` (ISO/IEC 14496-15 §5.3.3) and `esds` (14496-1 §7.2.6), as RFC 6381 names them.

use super::boxes::{Cursor, boxes, need};
use super::{Mp4Error, Result};

/// H.264.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Avc {
    /// `avc1`: parameter sets are here only; `avc3`: also in samples.
    pub(crate) entry: String,
    pub(crate) profile: u8,
    pub(crate) constraints: u8,
    pub(crate) level: u8,
    /// Bytes of each NAL unit's length.
    pub(crate) length_size: usize,
    pub(crate) sps: Vec<u8>,
    /// All of them, with those of pictures.
    pub(crate) parameter_sets: Vec<Vec<u8>>,
}

/// AAC.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Aac {
    pub(crate) object_type: u8,
    pub(crate) audio_object_type: u8,
    pub(crate) sample_rate: u32,
}

/// What a track is coded with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Codec {
    Avc(Avc),
    Aac(Aac),
    Other(String),
}

impl Codec {
    /// What CODECS must say (RFC 6381 §3.3, §3.4).
    pub(crate) fn name(&self) -> String {
        match self {
            Self::Avc(avc) => {
                format!("{}.{:02x}{:02x}{:02x}", avc.entry, avc.profile, avc.constraints, avc.level)
            }
            Self::Aac(aac) => format!("mp4a.{:x}.{}", aac.object_type, aac.audio_object_type),
            Self::Other(entry) => entry.clone(),
        }
    }
}

/// Reads the first sample description.
pub(super) fn codec(stsd: &[u8]) -> Result<Codec> {
    let mut cursor = Cursor::new("stsd", stsd);
    cursor.take(4)?;
    if cursor.u32()? == 0 {
        return Err(Mp4Error::Missing("sample description"));
    }
    let entry = boxes(cursor.rest()).next().ok_or(Mp4Error::Missing("sample description"))??;
    let name = || String::from_utf8_lossy(&entry.kind).into_owned();
    match &entry.kind {
        b"avc1" | b"avc3" => {
            let fields = entry.body.get(78..).ok_or(Mp4Error::Truncated("visual sample entry"))?;
            avc(name(), need(fields, b"avcC", "avcC")?).map(Codec::Avc)
        }
        b"mp4a" => {
            let fields = entry.body.get(28..).ok_or(Mp4Error::Truncated("audio sample entry"))?;
            aac(need(fields, b"esds", "esds")?).map(Codec::Aac)
        }
        _ => Ok(Codec::Other(name())),
    }
}

fn avc(entry: String, bytes: &[u8]) -> Result<Avc> {
    let mut avcc = Cursor::new("avcC", bytes);
    avcc.u8()?;
    let (profile, constraints, level) = (avcc.u8()?, avcc.u8()?, avcc.u8()?);
    let length_size = usize::from(avcc.u8()? & 3) + 1;
    let mut parameter_sets = Vec::new();
    for mask in [31, 255] {
        for _ in 0..avcc.u8()? & mask {
            let length = avcc.u16()?;
            parameter_sets.push(avcc.take(length.into())?.to_vec());
        }
        if parameter_sets.is_empty() {
            return Err(Mp4Error::Missing("SPS"));
        }
    }
    let sps = parameter_sets.first().cloned().unwrap_or_default();
    Ok(Avc { entry, profile, constraints, level, length_size, sps, parameter_sets })
}

const ES_DESCRIPTOR: u8 = 3;
const DECODER_CONFIG: u8 = 4;
const DECODER_SPECIFIC: u8 = 5;

fn aac(bytes: &[u8]) -> Result<Aac> {
    let mut esds = Cursor::new("esds", bytes);
    esds.take(4)?;
    let mut es = Cursor::new("ES descriptor", descriptor(&mut esds, ES_DESCRIPTOR)?);
    es.take(2)?;
    let flags = es.u8()?;
    if flags & 0x80 != 0 {
        es.take(2)?;
    }
    if flags & 0x40 != 0 {
        let length = es.u8()?;
        es.take(length.into())?;
    }
    if flags & 0x20 != 0 {
        es.take(2)?;
    }
    let mut config = Cursor::new("decoder configuration", descriptor(&mut es, DECODER_CONFIG)?);
    let object_type = config.u8()?;
    config.take(12)?;
    let specific = descriptor(&mut config, DECODER_SPECIFIC)?;
    let (audio_object_type, sample_rate) = audio_specific(specific)?;
    Ok(Aac { object_type, audio_object_type, sample_rate })
}

/// A descriptor of a tag; its length has seven bits a byte, in four bytes at most.
fn descriptor<'a>(cursor: &mut Cursor<'a>, tag: u8) -> Result<&'a [u8]> {
    let found = cursor.u8()?;
    if found != tag {
        return Err(Mp4Error::Invalid(format!("descriptor {found} where {tag} should be")));
    }
    let mut length = 0usize;
    for _ in 0..4 {
        let byte = cursor.u8()?;
        length = length << 7 | usize::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            return cursor.take(length);
        }
    }
    Err(Mp4Error::Invalid("a descriptor's length does not end".into()))
}

/// AudioSpecificConfig's first fields (ISO/IEC 14496-3 §1.6.2.1).
fn audio_specific(bytes: &[u8]) -> Result<(u8, u32)> {
    const RATES: [u32; 13] = [
        96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000, 7_350,
    ];
    let mut bits = crate::h264::Bits::new(bytes);
    let mut read = |count| bits.take(count).ok_or(Mp4Error::Truncated("AudioSpecificConfig"));
    let mut object = read(5)?;
    if object == 31 {
        object = 32 + read(6)?;
    }
    let index = read(4)?;
    let rate = match index {
        15 => read(24)?,
        index => RATES.get(index as usize).copied().unwrap_or(0),
    };
    if rate == 0 {
        return Err(Mp4Error::Invalid("AAC without a sample rate".into()));
    }
    Ok((object as u8, rate))
}
