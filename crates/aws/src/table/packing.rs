//! Documents as gzip: DynamoDB counts bytes, an entry of the timeline says much the same of each rendition, and a window
//! of them is read for every playlist. `base64 -d | gunzip` shows one.

use std::io::{self, Read as _, Write as _};

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;

/// Bytes of a document: many times the largest entry (a low-latency one with ten renditions has 8 kB).
const MAX_DOCUMENT: u64 = 256 * 1024;

pub(super) fn pack(json: &str) -> Vec<u8> {
    let mut packer = GzEncoder::new(Vec::new(), Compression::default());
    let packed = packer.write_all(json.as_bytes()).and_then(|()| packer.finish());
    packed.expect("memory can be written to")
}

pub(super) fn unpack(packed: &[u8]) -> io::Result<Vec<u8>> {
    let mut json = Vec::new();
    GzDecoder::new(packed).take(MAX_DOCUMENT + 1).read_to_end(&mut json)?;
    if json.len() as u64 > MAX_DOCUMENT {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, "a packed document is far too large"));
    }
    Ok(json)
}

#[cfg(test)]
mod tests {
    use headwater_domain::testing::{parts, samples};

    use super::*;

    /// A write unit is a kilobyte, a read unit four.
    #[test]
    fn an_entry_with_five_renditions_fits_into_a_write_unit() {
        let mut entry = parts::open_entry(&samples::lease(1), 7, 4);
        let one = entry.renditions[0].clone();
        entry.renditions = ["1080p", "720p", "480p", "360p", "audio"]
            .map(|name| {
                let init = one.init.replace("720p", name);
                let init_hash = format!("{:016x}", name.len() * 0x9e37_79b9_7f4a);
                headwater_domain::timeline::EntryRendition {
                    name: name.to_owned(),
                    init,
                    init_hash,
                    ..one.clone()
                }
            })
            .into();
        let json = serde_json::to_string(&entry).unwrap();
        let packed = pack(&json);
        assert!(json.len() > 2_000, "{}", json.len());
        assert!(packed.len() < 800, "{} of {}", packed.len(), json.len());
        assert_eq!(unpack(&packed).unwrap(), json.as_bytes());
    }

    #[test]
    fn broken_and_oversized_documents_are_errors() {
        let bomb = pack(&" ".repeat(MAX_DOCUMENT as usize + 1));
        assert!(bomb.len() < 1_000);
        let whole = pack("{}");
        for broken in [&bomb[..], b"", b"{}", &whole[..whole.len() - 4]] {
            assert!(unpack(broken).is_err());
        }
    }
}
