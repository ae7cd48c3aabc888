use headwater_rtmp::flv::{self, TagKind};

use super::*;

/// Cursors that need more than 24 bits, and wrap them.
const FIRST: u64 = (3 << 24) | 0xff_fffe;
const AVC_HEADER: &[u8] = &[0x17, 0, 0, 0, 0, 1, 100, 0, 30, 0xff, 0xe1, 0, 0, 1, 0, 0];
const IDR: &[u8] = &[0x17, 1, 0, 0, 0, 0, 0, 0, 1, 0x65];
const OTHER: &[u8] = &[0x27, 1, 0, 0, 0, 0, 0, 0, 1, 0x41];
const AAC_HEADER: &[u8] = &[0xaf, 0, 0x11, 0x90];
const SOUND: &[u8] = &[0xaf, 1, 0x21];

fn tag(kind: MediaKind, cursor: u64, body: &[u8]) -> BytesMut {
    let mut out = BytesMut::new();
    flv::write_tag(&mut out, TagKind::Media(kind), 0, cursor as u32, body).unwrap();
    out
}

fn head(has_video: bool) -> BytesMut {
    let mut out = BytesMut::from(&flv::file_header(true, has_video)[..]);
    flv::write_tag(&mut out, TagKind::Script, 0, 0, b"onMetaData").unwrap();
    if has_video {
        out.extend_from_slice(&tag(MediaKind::Video, 0, AVC_HEADER));
    }
    out.extend_from_slice(&tag(MediaKind::Audio, 0, AAC_HEADER));
    out
}

/// Messages with these bodies, from [`FIRST`] on.
fn media(bodies: &[&[u8]]) -> Vec<BytesMut> {
    let kind = |body: &[u8]| if body[0] == 0xaf { MediaKind::Audio } else { MediaKind::Video };
    (FIRST..).zip(bodies).map(|(cursor, body)| tag(kind(body), cursor, body)).collect()
}

fn push(kept: &mut ReplayBuffer, bytes: &[u8]) {
    bytes.chunks(7).for_each(|chunk| kept.push(chunk));
}

fn filled(has_video: bool, media: &[BytesMut]) -> ReplayBuffer {
    let mut kept = ReplayBuffer::new(FIRST, FIRST - 1);
    push(&mut kept, &head(has_video));
    media.iter().for_each(|tag| push(&mut kept, tag));
    kept
}

fn read(kept: &ReplayBuffer) -> Option<(u64, Vec<u8>)> {
    let (first, mut rest) = kept.rest()?;
    let mut bytes = Vec::new();
    rest.read_to_end(&mut bytes).unwrap();
    Some((first, bytes))
}

fn joined(head: BytesMut, media: &[BytesMut]) -> Vec<u8> {
    media
        .iter()
        .fold(head, |mut all, tag| {
            all.extend_from_slice(tag);
            all
        })
        .to_vec()
}

#[test]
fn all_that_came_whole_is_there_and_what_is_written_goes_up_to_the_last_idr() {
    let media = media(&[IDR, SOUND, OTHER, IDR, SOUND, OTHER, IDR]);
    let mut kept = filled(true, &media);
    push(&mut kept, &tag(MediaKind::Video, FIRST + 7, OTHER)[..20]);
    assert_eq!(read(&kept).unwrap(), (FIRST, joined(head(true), &media)));
    kept.written(FIRST + 2);
    assert_eq!(read(&kept).unwrap(), (FIRST, joined(head(true), &media)), "the second IDR is not written");
    kept.written(FIRST + 5);
    assert_eq!(read(&kept).unwrap(), (FIRST + 3, joined(head(true), &media[3..])));
    kept.written(FIRST + 6);
    assert!(read(&kept).is_none(), "nothing that is not written");
    push(&mut kept, &tag(MediaKind::Video, FIRST + 7, OTHER)[20..]);
    push(&mut kept, &tag(MediaKind::Video, FIRST + 7, OTHER));
    assert_eq!(read(&kept).unwrap().0, FIRST + 6);
}

#[test]
fn sound_alone_begins_with_any_message() {
    let media = media(&[SOUND; 4]);
    let mut kept = filled(false, &media);
    kept.written(FIRST + 1);
    assert_eq!(read(&kept).unwrap(), (FIRST + 2, joined(head(false), &media[2..])));
    kept.written(FIRST + 3);
    assert!(read(&kept).is_none());
    push(&mut kept, &tag(MediaKind::Audio, FIRST + 9, SOUND));
    assert_eq!(read(&kept).unwrap().0, FIRST + 9);
}

#[test]
fn too_much_and_what_is_no_flv_is_given_up() {
    let mut kept = filled(true, &media(&[IDR]));
    let mut no_tag = [0; 15];
    no_tag[0] = 0xff;
    push(&mut kept, &no_tag);
    assert!(read(&kept).is_none());
    let mut kept = filled(true, &media(&[IDR]));
    let mut large = OTHER.to_vec();
    large.resize(8 << 20, 0);
    for cursor in FIRST + 1..=FIRST + 8 {
        kept.push(&tag(MediaKind::Video, cursor, &large));
    }
    assert!(read(&kept).is_none());
}
