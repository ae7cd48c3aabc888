//! A small good stream, made with ffmpeg when the tests run: two renditions of video (one with B-frames) and one of sound,
//! sixteen seconds, in segments of two seconds and parts of half a second. Cut here, so that it can be broken here.

mod cut;
mod text;

use std::sync::OnceLock;

use bytes::Bytes;
use headwater_conformance::{Ask, Exchange, Recording};
use url::Url;

pub(crate) use cut::{Rendition, boxes, find_all};
pub(crate) use text::Shape;

/// What there is to publish.
pub(crate) struct Example {
    pub(crate) renditions: Vec<Rendition>,
    /// Seconds of one segment.
    pub(crate) seconds: u64,
}

/// The example that most tests use.
pub(crate) fn example() -> &'static Example {
    static EXAMPLE: OnceLock<Example> = OnceLock::new();
    EXAMPLE.get_or_init(|| Example::generate(2))
}

pub(crate) fn url(path: &str) -> Url {
    Url::parse("http://edge.example").unwrap().join(path).unwrap()
}

impl Example {
    pub(crate) fn generate(seconds: u64) -> Self {
        Self { renditions: cut::renditions(seconds), seconds }
    }

    /// A live window, loaded twice: a segment, with the discontinuity on it, has left it the second time.
    pub(crate) fn live(&self) -> Recording {
        let last = self.renditions[0].segments.len() as u64;
        self.recording(&[Shape::live(0..last - 1), Shape::live(1..last)])
    }

    /// The whole as a recording.
    pub(crate) fn vod(&self) -> Recording {
        let last = self.renditions[0].segments.len() as u64;
        Recording { vod: true, ..self.recording(&[Shape { vod: true, ..Shape::live(0..last) }]) }
    }

    /// A low-latency stream: a load, then a part at a time until a segment is whole, and what must be refused.
    pub(crate) fn low_latency(&self) -> Recording {
        let shape = |whole, parts| Shape { parts: Some(parts), ..Shape::live(0..whole) };
        let mut recording = self.recording(&[shape(6, 2)]);
        for (whole, parts, msn, part) in [(6, 3, 6, 2), (7, 0, 6, 3), (7, 1, 7, 0)] {
            for one in &self.renditions {
                let playlist = url(&format!("/{}.m3u8", one.name));
                let hinted = if part == 2 {
                    "6.2"
                } else if part == 3 {
                    "6.3"
                } else {
                    "7.0"
                };
                let hint = Ask::Hint { playlist: playlist.clone() };
                recording.exchanges.push(object(hint, one, hinted));
                let query = format!("/{}.m3u8?_HLS_msn={msn}&_HLS_part={part}", one.name);
                let ask = Ask::Blocking { playlist, msn, part };
                recording.exchanges.push(answer(ask, &query, self.media(one, &shape(whole, parts))));
            }
        }
        for one in &self.renditions {
            let playlist = url(&format!("/{}.m3u8", one.name));
            let refused = |ask, query| Exchange {
                status: 400,
                ..answer(ask, &format!("/{}.m3u8?{query}", one.name), String::new())
            };
            recording.exchanges.push(refused(Ask::FarAhead { playlist: playlist.clone() }, "_HLS_msn=99"));
            recording.exchanges.push(refused(Ask::PartAlone { playlist: playlist.clone() }, "_HLS_part=0"));
            let skip = Shape { skip: 1, ..shape(7, 1) };
            let query = format!("/{}.m3u8?_HLS_skip=YES", one.name);
            recording.exchanges.push(answer(Ask::Delta { playlist }, &query, self.media(one, &skip)));
            for name in ["6", "6.2", "6.3", "7.0"] {
                recording.exchanges.push(object(Ask::Object, one, name));
            }
        }
        timed(recording)
    }

    /// The multivariant playlist, each shape of each media playlist in turn, and all files.
    fn recording(&self, shapes: &[Shape]) -> Recording {
        let mut exchanges = vec![answer(Ask::Multivariant, "/index.m3u8", self.multivariant())];
        for shape in shapes {
            for one in &self.renditions {
                let path = format!("/{}.m3u8", one.name);
                exchanges.push(answer(Ask::Media { playlist: url(&path) }, &path, self.media(one, shape)));
            }
        }
        let whole = shapes.iter().map(|shape| shape.window.end).max().unwrap_or(0);
        for one in &self.renditions {
            exchanges.push(object(Ask::Object, one, "init"));
            exchanges.extend((0..whole).map(|number| object(Ask::Object, one, &number.to_string())));
            if shapes[0].parts.is_some() {
                let parts = (4..6).flat_map(|number| (0..4).map(move |part| (number, part)));
                let parts = parts.chain([(6, 0), (6, 1)]);
                exchanges.extend(
                    parts.map(|(number, part)| object(Ask::Object, one, &format!("{number}.{part}"))),
                );
            }
        }
        timed(Recording { vod: false, exchanges })
    }
}

/// One after the other.
fn timed(mut recording: Recording) -> Recording {
    for (index, exchange) in (0..).zip(&mut recording.exchanges) {
        (exchange.at_ms, exchange.took_ms) = (10 * index, 5);
    }
    recording
}

fn exchange(ask: Ask, path: &str, kind: &str, body: Bytes) -> Exchange {
    let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let headers = vec![header("content-type", kind), header("access-control-allow-origin", "*")];
    let (range, redirects) = (None, Vec::new());
    Exchange { ask, url: url(path), range, at_ms: 0, took_ms: 0, status: 200, headers, redirects, body }
}

fn answer(ask: Ask, path: &str, text: String) -> Exchange {
    let mut exchange = exchange(ask, path, "application/vnd.apple.mpegurl", text.into());
    exchange.headers.push(("content-encoding".into(), "gzip".into()));
    exchange
}

fn object(ask: Ask, rendition: &Rendition, name: &str) -> Exchange {
    let kind = if rendition.size.is_some() { "video/mp4" } else { "audio/mp4" };
    exchange(ask, &format!("/{}/{name}.m4s", rendition.name), kind, rendition.file(name))
}

/// Changes the texts of answers whose path ends so.
pub(crate) fn edit(recording: &mut Recording, path: &str, change: impl Fn(&str) -> String) {
    let mut changed = false;
    for exchange in recording.exchanges.iter_mut().filter(|one| one.url.path().ends_with(path)) {
        let text = String::from_utf8(exchange.body.to_vec()).unwrap();
        let new = change(&text);
        changed |= new != text;
        exchange.body = new.into();
    }
    assert!(changed, "nothing was broken in {path}");
}

/// Changes the bytes of one file.
pub(crate) fn patch(recording: &mut Recording, path: &str, change: impl Fn(&mut Vec<u8>)) {
    let found = recording.exchanges.iter_mut().filter(|one| one.url.path() == path && one.ask == Ask::Object);
    for exchange in found {
        let mut bytes = exchange.body.to_vec();
        change(&mut bytes);
        assert!(bytes != exchange.body, "nothing was broken in {path}");
        exchange.body = bytes.into();
    }
}

/// The first exchange with a file or playlist.
pub(crate) fn get<'r>(recording: &'r mut Recording, path: &str) -> &'r mut Exchange {
    recording.exchanges.iter_mut().find(|one| one.url.path() == path).unwrap()
}
