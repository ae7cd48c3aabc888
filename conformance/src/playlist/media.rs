//! Media playlists (RFC 8216bis §4.4.3, §4.4.5).

use std::collections::BTreeSet;

use url::Url;

use super::attributes::{Attributes, integer};
use super::lines::{Line, lines};
use super::segments::{Gathering, Segment};
use super::{Problems, Resource};

/// EXT-X-PLAYLIST-TYPE.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PlaylistType {
    Event,
    Vod,
}

/// EXT-X-SERVER-CONTROL, in seconds.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ServerControl {
    pub can_block_reload: bool,
    pub can_skip_until: Option<f64>,
    pub hold_back: Option<f64>,
    pub part_hold_back: Option<f64>,
}

/// EXT-X-RENDITION-REPORT.
#[derive(Debug, Clone, PartialEq)]
pub struct RenditionReport {
    pub url: Url,
    pub last_msn: Option<u64>,
    pub last_part: Option<u64>,
}

/// What a media playlist says.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct MediaPlaylist {
    pub target_duration: Option<u64>,
    pub media_sequence: u64,
    pub discontinuity_sequence: Option<u64>,
    pub playlist_type: Option<PlaylistType>,
    pub ended: bool,
    /// Something follows EXT-X-ENDLIST.
    pub goes_on_after_end: bool,
    pub independent_segments: bool,
    pub server_control: Option<ServerControl>,
    pub part_target: Option<f64>,
    /// Segments that a delta update leaves out.
    pub skipped: Option<u64>,
    pub segments: Vec<Segment>,
    /// The segment that is being made, if it has parts.
    pub open: Option<Segment>,
    /// The part that comes next.
    pub hint: Option<Resource>,
    pub reports: Vec<RenditionReport>,
    pub problems: Problems,
}

impl MediaPlaylist {
    pub fn read(base: &Url, body: &[u8]) -> Self {
        let mut problems = Problems::default();
        let lines = lines(body, &mut problems);
        let mut playlist = Self::default();
        playlist.header(base, &lines, &mut problems);
        playlist.body(base, &lines, &mut problems);
        playlist.versions(&lines, &mut problems);
        playlist.problems = problems;
        playlist
    }

    /// Segments and, at the end, what there is of the next one.
    pub fn all(&self) -> impl DoubleEndedIterator<Item = &Segment> {
        self.segments.iter().chain(&self.open)
    }

    /// Number and part index of the newest part, or the newest segment alone.
    pub fn newest(&self) -> Option<(u64, Option<u64>)> {
        let last = self.all().next_back()?;
        Some((last.number, (last.parts.len() as u64).checked_sub(1)))
    }

    /// Tags that are there once and may stand anywhere.
    #[expect(clippy::too_many_lines, reason = "a table: one tag under the other")]
    fn header(&mut self, base: &Url, lines: &[(usize, Line<'_>)], problems: &mut Problems) {
        let mut seen = BTreeSet::new();
        for (line, content) in lines {
            let Line::Tag { name, value } = *content else { continue };
            let (line, number) = (*line, || integer(value.unwrap_or_default()));
            let single = !matches!(
                name,
                "INF"
                    | "-X-DISCONTINUITY"
                    | "-X-GAP"
                    | "-X-BYTERANGE"
                    | "-X-PROGRAM-DATE-TIME"
                    | "-X-MAP"
                    | "-X-PART"
                    | "-X-KEY"
                    | "-X-BITRATE"
                    | "-X-DATERANGE"
                    | "-X-PRELOAD-HINT"
                    | "-X-RENDITION-REPORT"
                    | "-X-DEFINE"
            );
            if single && !seen.insert(name) {
                problems.add(line, format!("EXT{name} is there twice"));
            }
            match name {
                "M3U" | "-X-VERSION" => {}
                "-X-TARGETDURATION" => {
                    self.target_duration = number();
                    if self.target_duration.is_none_or(|target| target == 0) {
                        problems.add(line, "EXT-X-TARGETDURATION is not a number of seconds");
                    }
                }
                "-X-MEDIA-SEQUENCE" => match number() {
                    Some(number) => self.media_sequence = number,
                    None => problems.add(line, "EXT-X-MEDIA-SEQUENCE is not a number"),
                },
                "-X-DISCONTINUITY-SEQUENCE" => {
                    self.discontinuity_sequence = number();
                    if self.discontinuity_sequence.is_none() {
                        problems.add(line, "EXT-X-DISCONTINUITY-SEQUENCE is not a number");
                    }
                }
                "-X-PLAYLIST-TYPE" => match value {
                    Some("VOD") => self.playlist_type = Some(PlaylistType::Vod),
                    Some("EVENT") => self.playlist_type = Some(PlaylistType::Event),
                    _ => problems.add(line, "EXT-X-PLAYLIST-TYPE is neither VOD nor EVENT"),
                },
                "-X-INDEPENDENT-SEGMENTS" => self.independent_segments = true,
                "-X-SERVER-CONTROL" => {
                    let list = Attributes::read(line, name, value, problems);
                    self.server_control = Some(ServerControl {
                        can_block_reload: list.yes("CAN-BLOCK-RELOAD", problems),
                        can_skip_until: list.decimal("CAN-SKIP-UNTIL", problems),
                        hold_back: list.decimal("HOLD-BACK", problems),
                        part_hold_back: list.decimal("PART-HOLD-BACK", problems),
                    });
                }
                "-X-PART-INF" => {
                    let list = Attributes::read(line, name, value, problems);
                    list.require(&["PART-TARGET"], problems);
                    self.part_target = list.decimal("PART-TARGET", problems).filter(|target| *target > 0.0);
                }
                "-X-SKIP" => {
                    let list = Attributes::read(line, name, value, problems);
                    list.require(&["SKIPPED-SEGMENTS"], problems);
                    self.skipped = list.integer("SKIPPED-SEGMENTS", problems);
                }
                "-X-STREAM-INF"
                | "-X-MEDIA"
                | "-X-I-FRAME-STREAM-INF"
                | "-X-SESSION-DATA"
                | "-X-SESSION-KEY" => {
                    problems.add(line, format!("EXT{name} belongs to a multivariant playlist"));
                }
                "-X-PRELOAD-HINT" => {
                    let list = Attributes::read(line, name, value, problems);
                    list.require(&["TYPE", "URI"], problems);
                    let url = list.quoted("URI", problems).and_then(|text| base.join(text).ok());
                    let start = list.integer("BYTERANGE-START", problems);
                    let length = list.integer("BYTERANGE-LENGTH", problems);
                    let range = length.map(|length| crate::ByteRange { offset: start.unwrap_or(0), length });
                    if list.word("TYPE", problems) == Some("PART") {
                        self.hint = url.map(|url| Resource { url, range });
                    }
                }
                "-X-RENDITION-REPORT" => {
                    let list = Attributes::read(line, name, value, problems);
                    list.require(&["URI"], problems);
                    let (last_msn, last_part) =
                        (list.integer("LAST-MSN", problems), list.integer("LAST-PART", problems));
                    let Some(uri) = list.quoted("URI", problems) else { continue };
                    if Url::parse(uri).is_ok() {
                        problems.add(line, "EXT-X-RENDITION-REPORT: URI is not relative");
                    }
                    let url = base.join(uri).ok();
                    self.reports.extend(url.map(|url| RenditionReport { url, last_msn, last_part }));
                }
                _ => {}
            }
        }
        if self.target_duration.is_none() && !seen.contains("-X-TARGETDURATION") {
            problems.add(0, "EXT-X-TARGETDURATION is missing");
        }
    }

    /// Segments, and the order in which things stand.
    fn body(&mut self, base: &Url, lines: &[(usize, Line<'_>)], problems: &mut Problems) {
        let first = self.media_sequence.saturating_add(self.skipped.unwrap_or(0));
        let mut gathering = Gathering::new(base, first, self.discontinuity_sequence.unwrap_or(0));
        let mut begun = false;
        for (line, content) in lines {
            if self.ended {
                self.goes_on_after_end = true;
            }
            match *content {
                Line::Uri(text) => {
                    begun = true;
                    self.segments.extend(gathering.uri(*line, text, problems));
                }
                Line::Tag { name: "-X-ENDLIST", .. } => self.ended = true,
                Line::Tag { name: name @ ("-X-MEDIA-SEQUENCE" | "-X-DISCONTINUITY-SEQUENCE"), .. }
                    if begun =>
                {
                    problems.add(*line, format!("EXT{name} comes after a segment"));
                }
                Line::Tag { name, value } => begun |= gathering.tag(*line, name, value, problems),
            }
        }
        self.open = gathering.rest(problems);
        if self.ended && self.hint.is_some() {
            problems.add(0, "EXT-X-PRELOAD-HINT in a playlist that has ended");
        }
        if self.part_target.is_none() && self.all().any(|segment| !segment.parts.is_empty()) {
            problems.add(0, "EXT-X-PART without EXT-X-PART-INF");
        }
    }

    /// EXT-X-VERSION is at least what the tags need (§8).
    fn versions(&self, lines: &[(usize, Line<'_>)], problems: &mut Problems) {
        let tag = |wanted: &str| {
            lines.iter().find_map(|(_, line)| match *line {
                Line::Tag { name, value } if name == wanted => Some(value.unwrap_or_default()),
                _ => None,
            })
        };
        let version = tag("-X-VERSION").map_or(Some(1), integer).unwrap_or(0);
        let decimal = tag("INF").is_some_and(|value| value.contains('.'));
        let needs = [
            (decimal, 3, "EXTINF with a point"),
            (tag("-X-BYTERANGE").is_some(), 4, "EXT-X-BYTERANGE"),
            (tag("-X-MAP").is_some(), 6, "EXT-X-MAP"),
            (self.skipped.is_some(), 9, "EXT-X-SKIP"),
        ];
        for (used, needed, what) in needs {
            if used && version < needed {
                problems.add(0, format!("{what} needs EXT-X-VERSION {needed}, not {version}"));
            }
        }
    }
}
