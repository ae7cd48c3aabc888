//! Recorded encoders, fed in every way a network may deliver them, give the same events.

use std::io::Write;
use std::process::Command;

use crate::support::replay::{CAPTURES, ENHANCED, Replay, replay};
use bytes::BytesMut;
use headwater_rtmp::chunk::{ChunkReader, MessageLimits, Skips};
use headwater_rtmp::codec::{Inspector, MediaClass, RandomAccess};
use headwater_rtmp::flv::{self, TagKind};
use headwater_rtmp::message::type_id;
use headwater_rtmp::{Event, MediaKind};
use proptest::prelude::*;

/// In two reads: the first has the publish request, for an owner answers only between reads.
fn replay_whole(bytes: &[u8]) -> Replay {
    let (start, rest) = bytes.split_at(bytes.len().min(4_000));
    replay([start, rest])
}

#[test]
fn byte_at_a_time_gives_the_same_events() {
    for (name, bytes) in CAPTURES {
        let whole = replay_whole(bytes);
        assert_eq!(whole.error, None, "{name}");
        let single = replay(bytes.chunks(1));
        // Acknowledgements depend on reads, and these captures are shorter than a window.
        assert!(single == whole, "{name}");
    }
}

#[test]
fn a_capture_cut_anywhere_gives_a_prefix_of_its_events() {
    for (name, bytes) in CAPTURES {
        let whole = replay_whole(bytes);
        let cuts = (0..4_000).chain((4_000..bytes.len()).step_by(9_973));
        for cut in cuts {
            let part = replay_whole(&bytes[..cut]);
            assert_eq!(part.error, None, "{name} cut at {cut}");
            assert!(whole.events.starts_with(&part.events), "{name} cut at {cut}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]
    #[test]
    fn random_splits_give_the_same_events(
        which in 0..CAPTURES.len(),
        pieces in prop::collection::vec(prop_oneof![1usize..20, 1usize..5_000], 1..40),
    ) {
        let (name, bytes) = CAPTURES[which];
        let mut rest = bytes;
        let mut sizes = pieces.iter().cycle();
        let split = std::iter::from_fn(|| {
            let (piece, later) = rest.split_at((*sizes.next()?).min(rest.len()));
            rest = later;
            (!piece.is_empty()).then_some(piece)
        });
        prop_assert!(replay(split) == replay_whole(bytes), "{}", name);
    }
}

#[test]
fn encoders_are_understood() {
    for (name, bytes) in CAPTURES {
        let replay = replay_whole(bytes);
        let mut inspector = Inspector::new();
        let (mut headers, mut idrs, mut metadata) = (0, 0, 0);
        for event in &replay.events {
            match event {
                Event::Connected(client) => {
                    assert_eq!(client.app, "live");
                    assert_eq!(client.capabilities.go_away, name == "obs", "{name}");
                }
                Event::PublishRequested(request) => assert_eq!(request.key.reveal(), "testkey"),
                Event::Metadata(data) => {
                    metadata += 1;
                    assert!(data.payload.starts_with(b"\x02\x00\x0aonMetaData"));
                    let width = data.values.iter().find(|(name, _)| name == "width").unwrap();
                    assert_eq!(width.1.as_number(), Some(320.0), "{name}");
                }
                Event::Media(media) => match inspector.inspect(media.kind, &media.payload).unwrap().class {
                    MediaClass::SequenceHeader => headers += 1,
                    MediaClass::RandomAccess(_) => idrs += 1,
                    _ => {}
                },
                Event::Ignored(what) => panic!("{name}: {what:?}"),
                _ => {}
            }
        }
        assert_eq!(headers, 2, "{name}");
        assert!(idrs >= 1 && metadata >= 1, "{name}: {idrs} IDR, {metadata} metadata");
    }
}

#[test]
fn enhanced_encoders_are_understood() {
    for (code, bytes) in ENHANCED {
        let whole = replay_whole(bytes);
        assert_eq!(whole.error, None, "{code}");
        assert!(replay(bytes.chunks(1)) == whole, "{code}");
        let mut inspector = Inspector::new();
        let (mut configured, mut clean, mut open, mut frames) = (0, 0, 0, 0);
        for event in &whole.events {
            match event {
                Event::Connected(client) => {
                    assert!(client.capabilities.enhanced);
                    assert!(
                        client.capabilities.four_ccs.iter().any(|announced| announced.to_string() == code)
                    );
                }
                Event::Media(media) if media.kind == MediaKind::Video => {
                    let info = inspector.inspect(media.kind, &media.payload).unwrap();
                    assert!(info.enhanced);
                    match info.class {
                        MediaClass::SequenceHeader => configured += i32::from(inspector.is_configured()),
                        MediaClass::RandomAccess(RandomAccess::Closed) => clean += 1,
                        MediaClass::RandomAccess(RandomAccess::Open) => open += 1,
                        MediaClass::Frames => frames += 1,
                        MediaClass::Other => {}
                    }
                }
                _ => {}
            }
        }
        assert_eq!((configured, clean + open + frames), (1, 150), "{code}");
        assert_eq!((clean, open), if code == "hvc1" { (1, 5) } else { (3, 0) }, "{code}");
    }
}

/// FFmpeg reads the FLV we make of a capture, and finds as many packets at the same times.
#[test]
fn ffprobe_finds_every_message_in_our_flv() {
    for (name, bytes) in CAPTURES {
        let mut file = BytesMut::from(&flv::file_header(true, true)[..]);
        let mut wanted = Vec::new();
        let mut inspector = Inspector::new();
        for (cursor, event) in replay_whole(bytes).events.iter().enumerate() {
            if let Event::Media(media) = event {
                let stream_id = u32::try_from(cursor).unwrap();
                let kind = TagKind::Media(media.kind);
                flv::write_tag(&mut file, kind, media.timestamp, stream_id, &media.payload).unwrap();
                let info = inspector.inspect(media.kind, &media.payload).unwrap();
                if matches!(info.class, MediaClass::Frames | MediaClass::RandomAccess(_)) {
                    let kind = if media.kind == MediaKind::Video { "video" } else { "audio" };
                    wanted.push(format!("{kind},{}", media.timestamp));
                }
            }
        }
        let mut path = tempfile::NamedTempFile::new().unwrap();
        path.write_all(&file).unwrap();
        let output = Command::new("ffprobe")
            .args(["-v", "error", "-show_entries", "packet=codec_type,dts", "-of", "csv=p=0"])
            .arg(path.path())
            .output()
            .unwrap();
        assert!(output.stderr.is_empty(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
        let found = String::from_utf8(output.stdout).unwrap();
        let found: Vec<&str> = found.lines().map(|line| line.trim_end_matches(',')).collect();
        assert_eq!(found, wanted, "{name}");
    }
}

/// The other direction of the captures: what another server said reads as chunks too.
#[test]
fn another_servers_answers_are_read() {
    let limits =
        MessageLimits { media: 9_999, data: 9_999, command: 9_999, buffered: 9_999, skips: Skips::Nothing };
    for bytes in [
        &include_bytes!("../captures/ffmpeg.server.bin")[..],
        include_bytes!("../captures/obs.server.bin"),
        include_bytes!("../captures/gst-rtmp2sink.server.bin"),
        include_bytes!("../captures/gst-rtmpsink.server.bin"),
    ] {
        let mut reader = ChunkReader::new(limits);
        let mut input = &bytes[1 + 2 * 1536..];
        let mut commands = 0;
        while let Some(message) = reader.read(&mut input).unwrap() {
            if message.type_id == type_id::SET_CHUNK_SIZE {
                reader.set_chunk_size(u32::from_be_bytes(message.payload[..4].try_into().unwrap())).unwrap();
            }
            commands += usize::from(message.type_id == type_id::COMMAND_AMF0);
        }
        assert!(commands >= 3, "connect, createStream and publish were answered");
    }
}
