//! The reader against hand-made playlists: what is right has no problem, and each fault is told with its line.

use proptest::prelude::*;

use super::*;

const GOOD: &str = "#EXTM3U\n#EXT-X-VERSION:6\n#EXT-X-TARGETDURATION:2\n#EXT-X-PART-INF:PART-TARGET=0.5\n\
    #EXT-X-MEDIA-SEQUENCE:7\n#EXT-X-DISCONTINUITY-SEQUENCE:2\n#EXT-X-MAP:URI=\"init.mp4\"\n\
    #EXT-X-PROGRAM-DATE-TIME:2026-01-01T00:00:10.500Z\n#EXTINF:2.000,\n7.m4s\n#EXT-X-DISCONTINUITY\n\
    #EXT-X-MAP:URI=\"other.mp4\"\n#EXT-X-BYTERANGE:10@5\n#EXTINF:1.5,\nall.m4s\n\
    #EXT-X-PART:DURATION=0.5,URI=\"9.0.m4s\",INDEPENDENT=YES\n#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"9.1.m4s\"\n";

fn read(text: &str) -> MediaPlaylist {
    MediaPlaylist::read(&Url::parse("http://h/live/a.m3u8").unwrap(), text.as_bytes())
}

fn problems(text: &str) -> Vec<(usize, String)> {
    read(text).problems.iter().map(|one| (one.line, one.what.clone())).collect()
}

#[test]
fn what_is_right_is_read_without_a_problem() {
    let playlist = read(GOOD);
    assert_eq!(problems(GOOD), []);
    let [first, second] = &playlist.segments[..] else { panic!("{playlist:?}") };
    assert_eq!((first.number, first.discontinuity_number, first.duration), (7, 2, 2.0));
    assert_eq!(first.program_date_time, Some(1_767_225_610.5));
    assert_eq!((second.number, second.discontinuity, second.discontinuity_number), (8, true, 3));
    assert_eq!(second.map.as_ref().unwrap().url.path(), "/live/other.mp4");
    assert_eq!(second.resource.as_ref().unwrap().range, Some(ByteRange { offset: 5, length: 10 }));
    let open = playlist.open.as_ref().unwrap();
    assert_eq!((open.number, open.parts.len(), open.parts[0].independent), (9, 1, true));
    assert_eq!(playlist.newest(), Some((9, Some(0))));
    assert_eq!(playlist.hint.unwrap().url.path(), "/live/9.1.m4s");
}

#[test]
fn each_fault_is_told_with_its_line() {
    let broken = [
        ("#EXTM3U\n", "\n", 1),
        ("#EXTM3U", "\u{feff}#EXTM3U", 1),
        ("#EXT-X-VERSION:6", "#EXT-X-VERSION:5", 0),
        ("#EXT-X-TARGETDURATION:2", "#EXT-X-TARGETDURATION:2.0", 3),
        ("#EXT-X-TARGETDURATION:2\n", "", 0),
        ("PART-TARGET=0.5", "PART-TARGET=\"0.5\"", 4),
        ("PART-TARGET=0.5", "PART-TARGET = 0.5", 4),
        ("MEDIA-SEQUENCE:7", "MEDIA-SEQUENCE:-7", 5),
        ("URI=\"init.mp4\"", "URI=\"init.mp4", 7),
        ("URI=\"init.mp4\"", "URI=\"init.mp4\",URI=\"b\"", 7),
        ("URI=\"init.mp4\"", "URI=\"init.mp4\",", 7),
        ("10.500Z", "10.500", 8),
        ("#EXTINF:2.000,", "#EXTINF:2.000", 9),
        ("#EXTINF:2.000,", "#EXTINF:-2,", 9),
        ("#EXTINF:2.000,\n", "", 9),
        ("10@5", "0@5", 13),
        ("10@5", "10@18446744073709551615", 13),
        ("DURATION=0.5,URI", "URI", 16),
        ("TYPE=PART,", "", 17),
    ];
    for (from, to, line) in broken {
        let text = GOOD.replacen(from, to, 1);
        let found = problems(&text);
        assert!(found.iter().any(|one| one.0 == line), "{from:?} as {to:?}: {found:?}");
    }
    assert!(!problems(GOOD.trim_end()).is_empty(), "cut off");
    assert!(!problems(&format!("{GOOD}#EXT-X-ENDLIST\n")).is_empty(), "a hint after the end");
    assert!(!problems(&format!("{GOOD}#EXT-X-MEDIA-SEQUENCE:7\n")).is_empty(), "twice, and late");
}

#[test]
fn multivariant_faults_are_told() {
    let base = Url::parse("http://h/index.m3u8").unwrap();
    let count = |text: &str| Multivariant::read(&base, text.as_bytes()).problems.iter().count();
    let good = "#EXTM3U\n#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"a\",NAME=\"n\",URI=\"a.m3u8\"\n\
        #EXT-X-STREAM-INF:BANDWIDTH=1,AUDIO=\"a\",RESOLUTION=2x4\nv.m3u8\n";
    assert_eq!(count(good), 0);
    for (from, to) in [
        ("AUDIO=\"a\"", "AUDIO=\"b\""),
        ("AUDIO=\"a\"", "AUDIO=a"),
        ("BANDWIDTH=1,", ""),
        ("2x4", "2by4"),
        ("v.m3u8\n", ""),
        ("#EXT-X-STREAM", "#EXTINF:2,\n#EXT-X-STREAM"),
        ("NAME=\"n\",", ""),
    ] {
        assert!(count(&good.replacen(from, to, 1)) > 0, "{from:?} as {to:?}");
    }
}

proptest! {
    #[test]
    fn no_text_panics(text in "(#EXT[-A-Z0-9]{0,20}[:=,\"a-z0-9@.]{0,20}\n|[a-z.]{0,9}\n){0,20}", at in 0usize..500, byte: u8) {
        let base = Url::parse("http://h/").unwrap();
        let _ = (read(&text), Multivariant::read(&base, text.as_bytes()));
        let mut bytes = GOOD.as_bytes().to_vec();
        let at = at % bytes.len();
        bytes[at] = byte;
        let _ = (MediaPlaylist::read(&base, &bytes), Multivariant::read(&base, &bytes));
    }
}
