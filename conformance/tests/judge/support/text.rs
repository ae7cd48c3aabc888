//! Playlists of the example.

use std::fmt::Write as _;
use std::ops::Range;

use super::{Example, Rendition};

/// Segments that begin with a discontinuity.
const BROKEN: [u64; 2] = [0, 3];

/// What a media playlist shows.
#[derive(Clone)]
pub(crate) struct Shape {
    /// Whole segments.
    pub(crate) window: Range<u64>,
    pub(crate) vod: bool,
    /// Low latency, with so many parts of the segment after the window.
    pub(crate) parts: Option<usize>,
    /// Segments that a delta update leaves out.
    pub(crate) skip: u64,
}

impl Shape {
    pub(crate) fn live(window: Range<u64>) -> Self {
        Self { window, vod: false, parts: None, skip: 0 }
    }
}

impl Example {
    pub(crate) fn multivariant(&self) -> String {
        let rates = |one: &Rendition| {
            let bits = |cut: &super::cut::Cut| cut.file().len() as f64 * 8.0;
            let peak = one.segments.iter().map(|cut| bits(cut) / cut.seconds).fold(0.0, f64::max);
            let all: f64 = one.segments.iter().map(bits).sum();
            (peak, all / one.segments.iter().map(|cut| cut.seconds).sum::<f64>())
        };
        let mut text = "#EXTM3U\n#EXT-X-VERSION:6\n#EXT-X-INDEPENDENT-SEGMENTS\n\
            #EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"audio\",NAME=\"audio\",LANGUAGE=\"und\",DEFAULT=YES,AUTOSELECT=YES,\
            CHANNELS=\"1\",URI=\"/sound.m3u8\"\n".to_owned();
        let sound = rates(&self.renditions[2]);
        for one in &self.renditions {
            let own = rates(one);
            let (peak, average, codecs, more) = match one.size {
                Some((width, height)) => {
                    let codecs = format!("{},mp4a.40.2", one.codecs());
                    let more = format!(",RESOLUTION={width}x{height},FRAME-RATE=20.000,AUDIO=\"audio\"");
                    (own.0 + sound.0, own.1 + sound.1, codecs, more)
                }
                None => (own.0, own.1, one.codecs(), String::new()),
            };
            writeln!(
                text,
                "#EXT-X-STREAM-INF:BANDWIDTH={},AVERAGE-BANDWIDTH={},CODECS=\"{codecs}\"{more}\n/{}.m3u8",
                (peak * 1.05) as u64,
                average as u64,
                one.name
            )
            .unwrap();
        }
        text
    }

    pub(crate) fn media(&self, one: &Rendition, shape: &Shape) -> String {
        let Range { start, end } = shape.window;
        let version = if shape.skip > 0 { 9 } else { 6 };
        let mut text = format!("#EXTM3U\n#EXT-X-VERSION:{version}\n#EXT-X-TARGETDURATION:{}\n", self.seconds);
        if shape.parts.is_some() {
            text.push_str(
                "#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,CAN-SKIP-UNTIL=12.0,PART-HOLD-BACK=1.602\n",
            );
            text.push_str("#EXT-X-PART-INF:PART-TARGET=0.534\n");
        }
        let gone = BROKEN.iter().filter(|number| **number < start).count();
        writeln!(text, "#EXT-X-MEDIA-SEQUENCE:{start}\n#EXT-X-DISCONTINUITY-SEQUENCE:{gone}").unwrap();
        text.push_str(if shape.vod { "#EXT-X-PLAYLIST-TYPE:VOD\n" } else { "" });
        text.push_str("#EXT-X-INDEPENDENT-SEGMENTS\n");
        if shape.skip > 0 {
            writeln!(text, "#EXT-X-SKIP:SKIPPED-SEGMENTS={}", shape.skip).unwrap();
        }
        let mut mapped = false;
        let open = shape.parts.unwrap_or(0);
        let until = end + u64::from(open > 0);
        for number in start + shape.skip..until {
            let cut = &one.segments[number as usize];
            if BROKEN.contains(&number) {
                text.push_str("#EXT-X-DISCONTINUITY\n");
            }
            if !mapped || BROKEN.contains(&number) {
                writeln!(text, "#EXT-X-MAP:URI=\"/{}/init.m4s\"", one.name).unwrap();
                mapped = true;
            }
            let seconds = number * self.seconds;
            writeln!(text, "#EXT-X-PROGRAM-DATE-TIME:2026-01-01T10:00:{seconds:02}.000Z").unwrap();
            let shown = if number == end { open } else { cut.parts.len() };
            if shape.parts.is_some() && number + 3 > end {
                for (index, (seconds, _)) in cut.parts.iter().enumerate().take(shown) {
                    let independent = if index == 0 || one.size.is_none() { ",INDEPENDENT=YES" } else { "" };
                    let uri = format!("/{}/{number}.{index}.m4s", one.name);
                    writeln!(text, "#EXT-X-PART:DURATION={seconds:.6},URI=\"{uri}\"{independent}").unwrap();
                }
            }
            if number < end {
                writeln!(text, "#EXTINF:{:.6},\n/{}/{number}.m4s", cut.seconds, one.name).unwrap();
            }
        }
        if let Some(open) = shape.parts {
            writeln!(text, "#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"/{}/{end}.{open}.m4s\"", one.name).unwrap();
            let (msn, part) = if open > 0 { (end, open - 1) } else { (end - 1, 3) };
            for other in self.renditions.iter().filter(|other| other.name != one.name) {
                let uri = format!("/{}.m3u8", other.name);
                writeln!(text, "#EXT-X-RENDITION-REPORT:URI=\"{uri}\",LAST-MSN={msn},LAST-PART={part}")
                    .unwrap();
            }
        }
        text.push_str(if shape.vod { "#EXT-X-ENDLIST\n" } else { "" });
        text
    }
}
