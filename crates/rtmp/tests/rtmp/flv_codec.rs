//! FLV bytes and the classification of media messages.

use bytes::BytesMut;
use headwater_rtmp::MediaKind::{Audio, Video};
use headwater_rtmp::amf::{self, Value};
use headwater_rtmp::codec::{
    AudioCodec, AudioPacket, AudioTag, Codec, FourCc, FrameType, Inspector, MediaClass, RandomAccess,
    TagError, VideoCodec, VideoPacket, VideoTag,
};
use headwater_rtmp::flv::{self, BodyTooLong, TagKind};
use proptest::prelude::*;

const AVC_HEADER: &[u8] = &[0x17, 0, 0, 0, 0, 1, 0x64, 0, 0x1F, 0xFF, 0xE1, 0, 0];

#[test]
fn the_file_header_is_that_of_the_specification() {
    assert_eq!(flv::file_header(true, true), *b"FLV\x01\x05\0\0\0\x09\0\0\0\0");
    assert_eq!(flv::file_header(false, true)[4], 1);
    assert_eq!(flv::file_header(true, false)[4], 4);
}

#[test]
fn tags_carry_time_above_24_bits_and_a_stream_id() {
    let mut out = BytesMut::new();
    flv::write_tag(&mut out, TagKind::Media(Video), 0x1234_5678, 0xFFAA_BBCC, b"xyz").unwrap();
    assert_eq!(out[..], *b"\x09\0\0\x03\x34\x56\x78\x12\xAA\xBB\xCCxyz\0\0\0\x0e");
    assert_eq!(
        flv::tag_frame(TagKind::Script, 0, 0, 0x100_0000),
        Err(BodyTooLong(0x100_0000)),
        "a size has 24 bits"
    );
    assert!(flv::tag_frame(TagKind::Media(Audio), 0, 0, 0xFF_FFFF).is_ok());
}

#[test]
fn metadata_bodies_are_script_data() {
    let values = vec![("width".to_owned(), Value::Number(160.0))];
    let body = flv::metadata_body(&values);
    assert_eq!(amf::decode(&body).unwrap(), ["onMetaData".into(), Value::EcmaArray(values)]);
}

#[test]
fn avc_is_read_in_both_forms() {
    let classic = VideoTag::parse(&[0x27, 1, 0xFF, 0xFF, 0xF6, 0xAA]).unwrap();
    assert_eq!((classic.codec, classic.packet), (VideoCodec::Avc, VideoPacket::Frames));
    assert_eq!((classic.frame_type, classic.composition_time_ms), (FrameType::Inter, -10));
    assert!(!classic.enhanced);
    let enhanced = VideoTag::parse(b"\x91avc1\x00\x00\x21\xAA").unwrap();
    assert_eq!((enhanced.codec, enhanced.frame_type), (VideoCodec::Avc, FrameType::Key));
    assert_eq!((enhanced.composition_time_ms, enhanced.data), (33, &[0xAA][..]));
}

#[test]
fn enhanced_codecs_are_named() {
    let tag = VideoTag::parse(b"\x90hvc1\x01").unwrap();
    assert_eq!((tag.codec, tag.packet), (VideoCodec::Hevc, VideoPacket::SequenceHeader));
    let tag = VideoTag::parse(b"\xA3hvc1\x01").unwrap();
    assert_eq!((tag.packet, tag.composition_time_ms), (VideoPacket::Frames, 0), "CodedFramesX has no time");
    let tag = VideoTag::parse(b"\x91av01\x12").unwrap();
    assert_eq!((tag.codec, tag.data), (VideoCodec::Av1, &[0x12][..]), "AV1 has no composition time");
    let tag = VideoTag::parse(b"\x91vp09\x12").unwrap();
    assert_eq!(tag.codec, VideoCodec::Enhanced(FourCc::VP9));
    let tag = AudioTag::parse(b"\x90OpusHead").unwrap();
    assert_eq!((tag.codec, tag.packet), (AudioCodec::Enhanced(FourCc::OPUS), AudioPacket::SequenceHeader));
    let tag = AudioTag::parse(b"\x91mp4a\x21").unwrap();
    assert_eq!((tag.codec, tag.packet, tag.enhanced), (AudioCodec::Aac, AudioPacket::Frames, true));
    assert_eq!(AudioTag::parse(b"\x2f\x01").unwrap().codec, AudioCodec::Classic(2));
}

#[test]
fn modifiers_are_skipped_and_multitrack_is_found_behind_them() {
    // ModEx: size 3 (byte 2), three bytes, then type 0 and packet type 1.
    let tag = VideoTag::parse(b"\x97\x02\x01\x02\x03\x01avc1\x00\x00\x00\xAA").unwrap();
    assert_eq!((tag.codec, tag.packet, tag.data), (VideoCodec::Avc, VideoPacket::Frames, &[0xAA][..]));
    // The long form of the size: 255, then 16 bits.
    let long = [b"\x97\xFF\x00\xFF", &[0; 256][..], b"\x00hvc1"].concat();
    assert_eq!(VideoTag::parse(&long).unwrap().packet, VideoPacket::SequenceHeader);
    assert_eq!(VideoTag::parse(b"\x96\x01avc1"), Err(TagError::Multitrack));
    assert_eq!(VideoTag::parse(b"\x97\x00\x00\x06\x01avc1"), Err(TagError::Multitrack));
    assert_eq!(AudioTag::parse(b"\x95\x01mp4a"), Err(TagError::Multitrack));
}

#[test]
fn keyframes_are_judged_by_nal_units() {
    let mut inspector = Inspector::new();
    let class = |inspector: &mut Inspector, payload: &[u8]| inspector.inspect(Video, payload).unwrap().class;
    let idr = &[0x17, 1, 0, 0, 0, 0, 0, 0, 1, 0x09, 0, 0, 0, 2, 0x65, 0x88];
    assert_eq!(class(&mut inspector, idr), MediaClass::Frames, "nothing decodes before a sequence header");
    assert_eq!(class(&mut inspector, AVC_HEADER), MediaClass::SequenceHeader);
    assert_eq!(inspector.avc_config().unwrap().nal_length_size, 4);
    assert_eq!(class(&mut inspector, idr), MediaClass::RandomAccess(RandomAccess::Closed));
    let recovery_point = &[0x17, 1, 0, 0, 0, 0, 0, 0, 2, 0x61, 0x88];
    assert_eq!(
        class(&mut inspector, recovery_point),
        MediaClass::Frames,
        "an open GOP is tagged a keyframe too"
    );
    let lying_inter = &[0x27, 1, 0, 0, 0, 0, 0, 0, 2, 0x65, 0x88];
    assert_eq!(class(&mut inspector, lying_inter), MediaClass::RandomAccess(RandomAccess::Closed));
    assert_eq!(class(&mut inspector, &[0x17, 2, 0, 0, 0]), MediaClass::Other, "end of sequence");
    assert_eq!(class(&mut inspector, &[0x17, 1, 0, 0, 0]), MediaClass::Other, "empty");
    let length_beyond_the_end = &[0x17, 1, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF, 0x65];
    assert_eq!(class(&mut inspector, length_beyond_the_end), MediaClass::Frames);
}

#[test]
fn nal_lengths_of_other_sizes_are_used() {
    let mut inspector = Inspector::new();
    let mut header = AVC_HEADER.to_vec();
    header[9] = 0xFD;
    inspector.inspect(Video, &header).unwrap();
    assert_eq!(inspector.avc_config().unwrap().nal_length_size, 2);
    let idr = &[0x17, 1, 0, 0, 0, 0, 1, 0x09, 0, 2, 0x65, 0x88];
    assert_eq!(inspector.inspect(Video, idr).unwrap().class, MediaClass::RandomAccess(RandomAccess::Closed));
}

#[test]
fn hevc_keyframes_are_random_access_pictures() {
    let mut inspector = Inspector::new();
    let mut hvcc = [0; 23];
    hvcc[0] = 1;
    hvcc[21] = 0x0F;
    inspector.inspect(Video, &[b"\x90hvc1", &hvcc[..]].concat()).unwrap();
    for (nal_type, class) in [
        (19, MediaClass::RandomAccess(RandomAccess::Closed)),
        (20, MediaClass::RandomAccess(RandomAccess::Closed)),
        (16, MediaClass::RandomAccess(RandomAccess::Closed)),
        (21, MediaClass::RandomAccess(RandomAccess::Open)),
        (9, MediaClass::Frames),
        (1, MediaClass::Frames),
    ] {
        let frame = [b"\x93hvc1", &[0, 0, 0, 2, nal_type << 1, 1][..]].concat();
        assert_eq!(inspector.inspect(Video, &frame).unwrap().class, class, "NAL type {nal_type}");
    }
    let info = inspector.inspect(Video, b"\x93hvc1\x00\x00\x00\x01\x26").unwrap();
    assert_eq!((info.codec, info.enhanced), (Codec::Video(VideoCodec::Hevc), true));
}

#[test]
fn a_sequence_header_is_one_of_its_codec() {
    let hvcc = [&b"\x90hvc1\x01"[..], &[0; 20], &[0x0F, 0]].concat();
    for (header, configured) in [
        (AVC_HEADER, true),
        (&b"\x17\x00\x00\x00\x00\x02"[..], false),
        (&hvcc, true),
        (b"\x90hvc1\x01", false),
        (b"\x90av01\x81\x00\x0c\x00", true),
        (b"\x90av01\x01\x00\x0c\x00", false),
        (b"\x90av01\x81", false),
        (b"\x90vp09", true),
    ] {
        let mut inspector = Inspector::new();
        assert!(!inspector.is_configured());
        inspector.inspect(Video, header).unwrap();
        assert_eq!(inspector.is_configured(), configured, "{}", header.escape_ascii());
    }
}

#[test]
fn aac_is_classified() {
    let mut inspector = Inspector::new();
    let mut class = |payload: &[u8]| inspector.inspect(Audio, payload).unwrap().class;
    assert_eq!(class(&[0xAF, 0, 0x12, 0x10]), MediaClass::SequenceHeader);
    assert_eq!(class(&[0xAF, 1, 0x21]), MediaClass::Frames);
    assert_eq!(class(&[0xAF, 1]), MediaClass::Other);
}

proptest! {
    #[test]
    fn garbage_is_survived(payloads in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..20)) {
        let mut inspector = Inspector::new();
        for payload in &payloads {
            let _ = inspector.inspect(Video, payload);
            let _ = inspector.inspect(Audio, payload);
        }
    }
}
