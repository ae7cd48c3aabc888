//! One broken example for each rule: it must fail that rule and no other.

use std::collections::BTreeSet;

use headwater_conformance::{Ask, Exchange, Outcome, RULES, Recording, judge};

use super::support::{Example, Shape, boxes, edit, example, find_all, get, patch};

type Break = fn(&mut Recording);

#[test]
fn each_rule_fails_when_it_is_broken_and_no_other_does() {
    let (live, vod, low) = (example().live(), example().vod(), example().low_latency());
    let mut broken = BTreeSet::new();
    for (good, cases) in [(&live, LIVE), (&vod, VOD), (&low, LOW)] {
        for (rule, change) in cases {
            let mut recording = good.clone();
            change(&mut recording);
            let report = judge(&recording);
            assert_eq!(report.failed(), [*rule], "{report}");
            broken.insert(*rule);
        }
    }
    // Needs segments of four seconds.
    broken.insert("idr-interval");
    let without: Vec<_> = RULES.iter().map(|rule| rule.id).filter(|id| !broken.contains(id)).collect();
    assert!(without.is_empty(), "no broken example for {without:?}");
}

#[test]
fn four_seconds_between_idr_pictures_are_too_many() {
    let report = judge(&Example::generate(4).vod());
    assert_eq!(report.failed(), ["idr-interval"], "{report}");
}

#[test]
fn what_is_broken_is_told_with_its_place() {
    let mut recording = example().live();
    patch(&mut recording, "/low/4.m4s", |bytes| first_frame(bytes, 1));
    let report = judge(&recording);
    let found = report.results.iter().find(|one| one.outcome == Outcome::Fail).unwrap();
    assert_eq!((found.rule, found.evidence[0].at.as_str()), ("idr-first", "low segment 4"));
    assert!(report.to_string().contains("Apple 7.4"), "{report}");
}

const LIVE: &[(&str, Break)] = &[
    ("multivariant-syntax", |r| edit(r, "/index.m3u8", |text| text.replace(",AUDIO=", ",FOO=,AUDIO="))),
    ("media-syntax", |r| {
        edit(r, "/low.m3u8", |text| text.replace("#EXT-X-VERSION:6", "#EXT-X-VERSION:6\n#EXT-X-VERSION:6"));
    }),
    ("codecs", |r| edit(r, "/index.m3u8", |text| text.replace("mp4a.40.2", "mp4a.40.5"))),
    ("resolution", |r| edit(r, "/index.m3u8", |text| text.replace("64x36", "64x38"))),
    ("frame-rate", |r| edit(r, "/index.m3u8", |text| text.replace("=20.000", "=25.000"))),
    ("independent-segments", |r| edit(r, ".m3u8", |text| text.replace("#EXT-X-INDEPENDENT-SEGMENTS\n", ""))),
    ("audio-declared", |r| {
        edit(r, "/index.m3u8", |text| {
            let text = text.replace(",mp4a.40.2", "").replace(",AUDIO=\"audio\"", "");
            without(&text, "#EXT-X-MEDIA:")
        });
    }),
    ("cellular-variant", |r| {
        edit(r, "/index.m3u8", |text| text.replace("INF:BANDWIDTH=", "INF:BANDWIDTH=9"))
    }),
    ("bandwidth", |r| {
        edit(r, "/index.m3u8", |text| text.replace("INF:BANDWIDTH=", "INF:BANDWIDTH=9999,X-OLD="))
    }),
    ("average-bandwidth", |r| {
        edit(r, "/index.m3u8", |text| text.replace("AVERAGE-BANDWIDTH=", "AVERAGE-BANDWIDTH=999,X-OLD="));
    }),
    ("segment-length", |r| edit(r, ".m3u8", |text| text.replace("TARGETDURATION:2", "TARGETDURATION:1"))),
    ("same-target-duration", |r| edit(r, "/low.m3u8", |text| text.replace("DURATION:2", "DURATION:3"))),
    ("program-date-time", |r| edit(r, "/low.m3u8", |text| without(text, "#EXT-X-PROGRAM-DATE-TIME"))),
    ("program-date-time-step", |r| {
        for name in ["/high.m3u8", "/low.m3u8", "/sound.m3u8"] {
            edit(r, name, |text| text.replace("10:00:08.000", "10:00:09.000"));
        }
    }),
    ("program-date-time-aligned", |r| edit(r, "/low.m3u8", |text| text.replace("T10:00:", "T10:01:"))),
    ("live-window", |r| reshape(r, "low", &[Shape::live(0..7), Shape::live(3..8)])),
    ("map", |r| edit(r, "/low.m3u8", |text| without(text, "#EXT-X-MAP"))),
    ("media-sequence", |r| reshape(r, "low", &[Shape::live(1..8), Shape::live(0..7)])),
    ("published-unchanged", |r| {
        let newest = r.exchanges.iter_mut().rfind(|one| one.url.path() == "/low.m3u8").unwrap();
        let text = String::from_utf8(newest.body.to_vec()).unwrap();
        newest.body = text.replace("/low/4.m4s", "/low/other.m4s").into();
    }),
    ("target-unchanged", |r| {
        for name in ["/high.m3u8", "/low.m3u8", "/sound.m3u8"] {
            let first = get(r, name);
            let text = String::from_utf8(first.body.to_vec()).unwrap();
            first.body = text.replace("DURATION:2", "DURATION:3").into();
        }
    }),
    ("discontinuity-sequence", |r| edit(r, ".m3u8", |text| without(text, "#EXT-X-DISCONTINUITY-SEQUENCE"))),
    ("discontinuity-count", |r| edit(r, ".m3u8", |text| text.replace("TY-SEQUENCE:1", "TY-SEQUENCE:0"))),
    ("discontinuities-aligned", |r| {
        edit(r, "/low.m3u8", |text| {
            let at = text.rfind("#EXT-X-DISCONTINUITY\n").unwrap();
            text[..at].to_owned() + &text[at + 21..]
        });
    }),
    ("boundaries-aligned", |r| {
        for number in 0..8 {
            patch(r, &format!("/low/{number}.m4s"), |bytes| shift(bytes, 0, 900));
        }
    }),
    ("segments-available", |r| get(r, "/low/4.m4s").status = 404),
    ("segments-available", |r| {
        for name in ["/high.m3u8", "/low.m3u8", "/sound.m3u8"] {
            edit(r, name, |text| {
                text.replace(
                    "#EXT-X-PROGRAM-DATE-TIME:2026-01-01T10:00:08",
                    "#EXT-X-GAP\n#EXT-X-PROGRAM-DATE-TIME:2026-01-01T10:00:08",
                )
            });
        }
    }),
    ("no-redirects", |r| get(r, "/low/4.m4s").redirects.push("http://other.example/4.m4s".into())),
    ("gzip", |r| get(r, "/low.m3u8").headers.retain(|(name, _)| name != "content-encoding")),
    ("mime-types", |r| get(r, "/low/4.m4s").headers[0].1 = "application/octet-stream".into()),
    ("cors", |r| get(r, "/low/4.m4s").headers.retain(|(name, _)| name != "access-control-allow-origin")),
    ("mp4", |r| patch(r, "/low/4.m4s", |bytes| bytes.truncate(bytes.len() - 10))),
    ("one-track", |r| patch(r, "/low/4.m4s", |bytes| put(bytes, b"tfhd", 3, 8, &[0, 0, 0, 9]))),
    ("default-base-moof", |r| patch(r, "/low/4.m4s", |bytes| put(bytes, b"tfhd", 3, 5, &[0]))),
    ("tfdt", |r| patch(r, "/low/4.m4s", |bytes| put(bytes, b"tfdt", 3, 0, b"free"))),
    ("styp", |r| patch(r, "/low/4.m4s", |bytes| bytes[8..12].copy_from_slice(b"isom"))),
    ("mfhd", |r| patch(r, "/low/4.m4s", |bytes| put(bytes, b"mfhd", 3, 8, &[0; 4]))),
    ("tfdt-continuity", |r| patch(r, "/low/4.m4s", |bytes| shift(bytes, 39, 9))),
    ("extinf", |r| {
        edit(r, "/low.m3u8", |text| {
            let text = text.replace("#EXTINF:2.000000,\n/low/4.m4s", "#EXTINF:2.060000,\n/low/4.m4s");
            without(&text, "#EXT-X-PROGRAM-DATE-TIME:2026-01-01T10:00:10")
        });
    }),
    ("idr-first", |r| patch(r, "/low/4.m4s", |bytes| first_frame(bytes, 1))),
    ("no-leading-pictures", |r| patch(r, "/high/4.m4s", |bytes| lead(bytes))),
    ("sync-samples", |r| patch(r, "/low/4.m4s", |bytes| sync(bytes, 3, true))),
    // The encoder's words about itself become a set for pictures that the sample entry does not have.
    ("parameter-sets", |r| patch(r, "/low/0.m4s", |bytes| set_in_band(bytes))),
    ("h264-profile", |r| {
        patch(r, "/low/init.m4s", |bytes| put(bytes, b"avc1", 0, 0, b"avc3"));
        edit(r, "/index.m3u8", |text| {
            let at = text.find("32x18").unwrap();
            let start = text[..at].rfind("avc1").unwrap();
            format!("{}avc3{}", &text[..start], &text[start + 4..])
        });
    }),
];

const VOD: &[(&str, Break)] = &[
    ("bandwidth-vod", |r| {
        edit(r, "/index.m3u8", |text| text.replacen("INF:BANDWIDTH=", "INF:BANDWIDTH=9", 1))
    }),
    ("average-bandwidth", |r| {
        edit(r, "/index.m3u8", |text| text.replace("AVERAGE-BANDWIDTH=", "AVERAGE-BANDWIDTH=9"));
    }),
    ("playlist-type", |r| edit(r, ".m3u8", |text| without(text, "#EXT-X-PLAYLIST-TYPE"))),
    ("playlist-type", |r| edit(r, "/low.m3u8", |text| without(text, "#EXT-X-ENDLIST"))),
    ("same-range", |r| reshape(r, "low", &[Shape { vod: true, ..Shape::live(0..7) }])),
    ("endlist", |r| edit(r, "/low.m3u8", |text| format!("{text}#EXT-X-BITRATE:100\n"))),
];

const LOW: &[(&str, Break)] = &[
    ("server-control", |r| edit(r, ".m3u8", |text| text.replace("CAN-BLOCK-RELOAD=YES,", ""))),
    ("low-latency-everywhere", |r| {
        let tags = ["#EXT-X-PART", "#EXT-X-SERVER-CONTROL", "#EXT-X-PRELOAD-HINT", "#EXT-X-RENDITION-REPORT"];
        edit(r, "/sound.m3u8", |text| tags.iter().fold(text.to_owned(), |text, tag| without(&text, tag)));
        let of_sound = |one: &Exchange| one.url.path() == "/sound.m3u8";
        r.exchanges.retain(|one| !of_sound(one) || matches!(one.ask, Ask::Multivariant | Ask::Media { .. }));
    }),
    ("part-hold-back", |r| edit(r, ".m3u8", |text| text.replace("HOLD-BACK=1.602", "HOLD-BACK=1.6"))),
    ("part-target", |r| edit(r, ".m3u8", |text| text.replace("PART-TARGET=0.534", "PART-TARGET=0.5"))),
    ("part-duration", |r| {
        edit(r, "/sound.m3u8", |text| {
            let line = text.lines().find(|line| line.contains("/sound/5.1.m4s"));
            let Some(line) = line else { return text.to_owned() };
            let (duration, uri) = line["#EXT-X-PART:DURATION=".len()..].split_once(',').unwrap();
            let shorter = duration.parse::<f64>().unwrap() - 0.03;
            text.replace(line, &format!("#EXT-X-PART:DURATION={shorter:.6},{uri}"))
        });
    }),
    ("parts-available", |r| get(r, "/low/5.1.m4s").status = 404),
    ("parts-make-segment", |r| {
        patch(r, "/low/5.1.m4s", |bytes| *bytes.last_mut().unwrap() ^= 1);
    }),
    ("parts-independent", |r| {
        edit(r, "/low.m3u8", |text| text.replace("low/5.1.m4s\"", "low/5.1.m4s\",INDEPENDENT=YES"));
    }),
    ("blocking-reload", |r| asked(r, |ask| matches!(ask, Ask::Blocking { part: 3, .. })).status = 503),
    ("far-ahead", |r| asked(r, |ask| matches!(ask, Ask::FarAhead { .. })).status = 200),
    ("part-alone", |r| asked(r, |ask| matches!(ask, Ask::PartAlone { .. })).status = 200),
    ("delta-offered", |r| edit(r, ".m3u8", |text| text.replace("SKIP-UNTIL=12.0", "SKIP-UNTIL=8.0"))),
    ("delta-update", |r| edit(r, "/low.m3u8", |text| text.replace("SEGMENTS=1", "SEGMENTS=2"))),
    ("rendition-reports", |r| {
        edit(r, "/low.m3u8", |text| without(text, "#EXT-X-RENDITION-REPORT:URI=\"/sound"));
    }),
    ("rendition-reports", |r| {
        edit(r, "/low.m3u8", |text| text.replace("sound.m3u8\",LAST-MSN=6", "sound.m3u8\",LAST-MSN=5"));
    }),
    ("preload-hint", |r| asked(r, |ask| matches!(ask, Ask::Hint { .. })).status = 403),
    ("preload-hint", |r| asked(r, |ask| matches!(ask, Ask::Hint { .. })).body = "other".into()),
];

fn asked(recording: &mut Recording, which: fn(&Ask) -> bool) -> &mut Exchange {
    recording.exchanges.iter_mut().find(|one| which(&one.ask)).unwrap()
}

/// Without the lines that begin so.
fn without(text: &str, line: &str) -> String {
    text.lines().filter(|one| !one.starts_with(line)).fold(String::new(), |text, one| text + one + "\n")
}

/// Other loads of one rendition's playlist.
fn reshape(recording: &mut Recording, name: &str, shapes: &[Shape]) {
    let rendition = example().renditions.iter().find(|one| one.name == name).unwrap();
    let path = format!("/{name}.m3u8");
    let loads = recording.exchanges.iter_mut().filter(|one| one.url.path() == path);
    for (exchange, shape) in loads.zip(shapes) {
        exchange.body = example().media(rendition, shape).into();
    }
}

/// Overwrites bytes from `offset` after the `index`th place of a box's name on.
fn put(bytes: &mut [u8], kind: &[u8; 4], index: usize, offset: usize, new: &[u8]) {
    let at = find_all(bytes, kind)[index] + offset;
    bytes[at..at + new.len()].copy_from_slice(new);
}

/// Moves all fragments from one on by so many ticks.
fn shift(bytes: &mut [u8], from: usize, ticks: u64) {
    for at in find_all(bytes, b"tfdt").into_iter().skip(from) {
        assert_eq!(bytes[at + 4], 1, "a version with eight bytes");
        let time = u64::from_be_bytes(bytes[at + 8..at + 16].try_into().unwrap());
        bytes[at + 8..at + 16].copy_from_slice(&(time + ticks).to_be_bytes());
    }
}

/// Flags the only sample of a fragment: in `trun` if its first sample has flags there, or else in `tfhd`'s last field.
fn sync(bytes: &mut [u8], fragment: usize, sync: bool) {
    let trun = find_all(bytes, b"trun")[fragment];
    let tfhd = find_all(bytes, b"tfhd")[fragment];
    let size = u32::from_be_bytes(bytes[tfhd - 4..tfhd].try_into().unwrap()) as usize;
    let at = if bytes[trun + 7] & 4 != 0 { trun + 16 } else { tfhd - 4 + size - 4 };
    let flags: [u8; 4] = if sync { [2, 0, 0, 0] } else { [1, 1, 0, 0] };
    bytes[at..at + 4].copy_from_slice(&flags);
}

/// Makes the first picture's slices of another kind, and the second picture an IDR, so that only their order is wrong.
fn first_frame(bytes: &mut [u8], kind: u8) {
    let mdats: Vec<_> = boxes(bytes).into_iter().filter(|one| one.0 == *b"mdat").take(2).collect();
    for ((_, start, end), kind) in mdats.into_iter().zip([kind, 5]) {
        let mut at = start + 8;
        while at < end {
            let length = u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap()) as usize;
            if matches!(bytes[at + 4] & 31, 1 | 5) {
                bytes[at + 4] = bytes[at + 4] & 0xe0 | kind;
            }
            at += 4 + length;
        }
    }
    sync(bytes, 0, false);
    sync(bytes, 1, true);
}

/// Turns the first SEI message into a PPS.
fn set_in_band(bytes: &mut [u8]) {
    let (_, start, end) = boxes(bytes).into_iter().find(|one| one.0 == *b"mdat").unwrap();
    let mut at = start + 8;
    while at < end {
        let length = u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap()) as usize;
        if bytes[at + 4] & 31 == 6 {
            bytes[at + 4] = 0x68;
            return;
        }
        at += 4 + length;
    }
    panic!("no SEI in the first picture");
}

/// Has a B-frame shown before the IDR picture that it follows.
fn lead(bytes: &mut [u8]) {
    let at = find_all(bytes, b"trun")[2];
    let size = u32::from_be_bytes(bytes[at - 4..at].try_into().unwrap()) as usize;
    assert_eq!(bytes[at + 6] & 8, 8, "it has composition offsets");
    bytes[at + 4] = 1;
    bytes[at - 4 + size - 4..at - 4 + size].copy_from_slice(&(-9_000i32).to_be_bytes());
}
