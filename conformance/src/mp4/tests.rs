//! The reader against hand-made boxes: what is right is read, and what lies is an error, never a panic or a large allocation.

use proptest::prelude::*;

use super::*;

fn boxed(kind: &[u8; 4], body: &[&[u8]]) -> Vec<u8> {
    let body = body.concat();
    [&(body.len() as u32 + 8).to_be_bytes()[..], kind, &body].concat()
}

fn init() -> Vec<u8> {
    let tkhd = [
        &[0; 12][..],
        &7u32.to_be_bytes(),
        &[0; 60],
        &(64u32 << 16).to_be_bytes(),
        &(36u32 << 16).to_be_bytes(),
    ];
    let mdhd = [&[0; 12][..], &90_000u32.to_be_bytes(), &[0; 8]];
    let hdlr: [&[u8]; 3] = [&[0; 8], b"vide", &[0; 13]];
    let avcc = boxed(b"avcC", &[&[1, 100, 0, 12, 0xff, 0xe1, 0, 4, 0x67, 100, 0, 12, 0]]);
    let avc1 = boxed(b"avc1", &[&[0; 78], &avcc]);
    let stsd = boxed(b"stsd", &[&[0, 0, 0, 0, 0, 0, 0, 1], &avc1]);
    let minf = boxed(b"minf", &[&boxed(b"stbl", &[&stsd])]);
    let mdia = boxed(b"mdia", &[&boxed(b"mdhd", &mdhd), &boxed(b"hdlr", &hdlr), &minf]);
    let trak = boxed(b"trak", &[&boxed(b"tkhd", &tkhd), &mdia]);
    let trex =
        boxed(b"trex", &[&[0; 4], &7u32.to_be_bytes(), &[0, 0, 0, 1], &3_000u32.to_be_bytes(), &[0; 8]]);
    let moov = boxed(b"moov", &[&trak, &boxed(b"mvex", &[&trex])]);
    [boxed(b"ftyp", &[b"iso6\0\0\0\0"]), moov].concat()
}

/// Two samples of five bytes: an IDR picture, and one that is shown 3,000 ticks later than decoded.
fn media(count: u32, size: u32) -> Vec<u8> {
    let run = |offset: u32| {
        let sample =
            |flags: u32, shift: u32| [size.to_be_bytes(), flags.to_be_bytes(), shift.to_be_bytes()].concat();
        let head = [&0x0000_0e01u32.to_be_bytes()[..], &count.to_be_bytes(), &offset.to_be_bytes()].concat();
        boxed(b"trun", &[&head, &sample(0x0200_0000, 0), &sample(0x0101_0000, 3_000)])
    };
    let moof = |offset| {
        let tfhd = boxed(b"tfhd", &[&0x0002_0000u32.to_be_bytes(), &7u32.to_be_bytes()]);
        let tfdt = boxed(b"tfdt", &[&[1, 0, 0, 0], &900_000u64.to_be_bytes()]);
        let traf = boxed(b"traf", &[&tfhd, &tfdt, &run(offset)]);
        boxed(b"moof", &[&boxed(b"mfhd", &[&[0, 0, 0, 0, 0, 0, 0, 5]]), &traf])
    };
    let offset = moof(0).len() as u32 + 8;
    let mdat = boxed(b"mdat", &[&[0, 0, 0, 1, 0x65, 0, 0, 0, 1, 0x41]]);
    [boxed(b"styp", &[b"msdh\0\0\0\0"]), moof(offset), mdat].concat()
}

fn track() -> Track {
    Init::read(&init()).unwrap().tracks.remove(0)
}

#[test]
fn well_formed_fragments_are_read() {
    let track = track();
    assert_eq!((track.id, track.timescale, track.size), (7, 90_000, (64, 36)));
    assert_eq!(track.codec.name(), "avc1.64000c");
    let media = Media::read(&media(2, 5), &track).unwrap();
    assert_eq!(
        (media.styp, media.start(), media.seconds()),
        (Some(*b"msdh"), Some(10.0), 6_000.0 / 90_000.0)
    );
    let [first, second] = &media.samples[..] else { panic!("{media:?}") };
    assert!(first.sync && first.picture.unwrap().idr && !second.sync && !second.picture.unwrap().idr);
    assert_eq!((first.dts, second.dts, second.pts), (900_000, 903_000, 906_000));
    let [fragment] = &media.fragments[..] else { panic!("{media:?}") };
    assert_eq!((fragment.sequence, fragment.decode_time, fragment.end), (5, Some(900_000), 906_000));
}

#[test]
fn every_cut_is_an_error() {
    let (init, media, track) = (init(), media(2, 5), track());
    for end in 0..init.len() {
        assert!(Init::read(&init[..end]).is_err(), "{end} bytes");
    }
    for end in 0..media.len() {
        assert!(Media::read(&media[..end], &track).is_err(), "{end} bytes");
    }
}

#[test]
fn sizes_and_counts_that_lie_are_errors() {
    let track = track();
    for (count, size) in [(u32::MAX, 5), (3, 5), (2, u32::MAX), (2, 6), (2, 4)] {
        assert!(Media::read(&media(count, size), &track).is_err(), "{count} samples of {size} bytes");
    }
    // Samples that take no bytes of trun: only the count says how many.
    let many = [&0u32.to_be_bytes()[..], &u32::MAX.to_be_bytes()].concat();
    let traf = boxed(b"traf", &[&boxed(b"tfhd", &[&[0; 4], &7u32.to_be_bytes()]), &boxed(b"trun", &[&many])]);
    let moof = boxed(b"moof", &[&boxed(b"mfhd", &[&[0; 8]]), &traf]);
    assert!(Media::read(&moof, &track).is_err());
    for size in [1u32, 7, 0xffff_ffff] {
        let huge = [&size.to_be_bytes()[..], b"moof", &[0xff; 16]].concat();
        assert!(Media::read(&huge, &track).is_err(), "{size}");
    }
}

proptest! {
    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..400), at in 0usize..600, value: u8) {
        let track = track();
        let _ = (Init::read(&bytes), Media::read(&bytes, &track));
        let (mut init, mut media) = (init(), media(2, 5));
        let (one, other) = (at % init.len(), at % media.len());
        (init[one], media[other]) = (value, value);
        let _ = (Init::read(&init), Media::read(&media, &track));
    }
}
