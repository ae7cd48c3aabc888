//! Segments and parts of a media playlist, put together from their tags (RFC 8216bis §4.4.4).

use url::Url;

use super::attributes::{Attributes, decimal, integer};
use super::{Problems, Resource};
use crate::recording::ByteRange;

/// One media segment, or the beginning of the next one.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Segment {
    pub number: u64,
    /// `None`: only parts of it are there yet.
    pub resource: Option<Resource>,
    /// EXTINF, in seconds.
    pub duration: f64,
    pub discontinuity: bool,
    /// Discontinuities up to here, EXT-X-DISCONTINUITY-SEQUENCE included.
    pub discontinuity_number: u64,
    pub map: Option<Resource>,
    /// Seconds after 1970, if the tag stands here.
    pub program_date_time: Option<f64>,
    pub gap: bool,
    pub parts: Vec<Part>,
}

/// One partial segment.
#[derive(Debug, Clone, PartialEq)]
pub struct Part {
    pub resource: Resource,
    pub duration: f64,
    pub independent: bool,
    pub gap: bool,
}

/// Gathers tags until the address that they belong to.
#[derive(Debug, Default)]
pub(super) struct Gathering {
    base: Option<Url>,
    next: Segment,
    extinf: bool,
    range: Option<(u64, Option<u64>)>,
    /// End of the previous byte range of the same resource.
    previous: Option<(Url, u64)>,
    /// Whether tags or parts wait for an address.
    pending: bool,
}

impl Gathering {
    pub(super) fn new(base: &Url, first: u64, discontinuities: u64) -> Self {
        let next = Segment { number: first, discontinuity_number: discontinuities, ..Segment::default() };
        Self { base: Some(base.clone()), next, ..Self::default() }
    }

    /// Takes a tag; whether it is one of a segment's.
    pub(super) fn tag(
        &mut self,
        line: usize,
        name: &str,
        value: Option<&str>,
        problems: &mut Problems,
    ) -> bool {
        match name {
            "INF" => {
                let text = value.unwrap_or_default();
                let seconds = text.split(',').next().and_then(decimal);
                if !text.contains(',') || seconds.is_none() {
                    problems.add(line, "EXTINF is not a duration and a comma");
                }
                self.once(self.extinf, line, "EXTINF", problems);
                self.extinf = true;
                self.next.duration = seconds.unwrap_or(0.0);
            }
            "-X-DISCONTINUITY" => {
                // More than one may stand here: each counts (8216bis 4.4.3.3), for segments that nobody can list.
                self.before_parts(line, name, problems);
                self.next.discontinuity = true;
                self.next.discontinuity_number = self.next.discontinuity_number.saturating_add(1);
            }
            "-X-GAP" => self.next.gap = true,
            "-X-BYTERANGE" => self.range = byte_range(line, value.unwrap_or_default(), problems),
            "-X-PROGRAM-DATE-TIME" => {
                self.once(self.next.program_date_time.is_some(), line, "EXT-X-PROGRAM-DATE-TIME", problems);
                self.before_parts(line, name, problems);
                self.next.program_date_time = date(value.unwrap_or_default());
                if self.next.program_date_time.is_none() {
                    problems.add(line, "EXT-X-PROGRAM-DATE-TIME is not a date with time and zone");
                }
            }
            "-X-MAP" => {
                self.before_parts(line, name, problems);
                self.next.map = self.map(line, name, value, problems);
            }
            "-X-PART" => {
                if let Some(part) = self.part(line, name, value, problems) {
                    self.next.parts.push(part);
                }
            }
            "-X-KEY" | "-X-BITRATE" => {}
            _ => return false,
        }
        self.pending = true;
        true
    }

    fn once(&self, there: bool, line: usize, tag: &str, problems: &mut Problems) {
        if there {
            problems.add(line, format!("{tag} is there twice for one segment"));
        }
    }

    /// These belong to a segment's first part as well, so they come before it (§4.4.4.9).
    fn before_parts(&self, line: usize, name: &str, problems: &mut Problems) {
        if !self.next.parts.is_empty() {
            problems.add(line, format!("EXT{name} comes after parts of its segment"));
        }
    }

    fn map(
        &mut self,
        line: usize,
        tag: &str,
        value: Option<&str>,
        problems: &mut Problems,
    ) -> Option<Resource> {
        let list = Attributes::read(line, tag, value, problems);
        list.require(&["URI"], problems);
        let url = self.join(line, list.quoted("URI", problems)?, problems)?;
        let range = list.quoted("BYTERANGE", problems).and_then(|text| byte_range(line, text, problems));
        let range = range.map(|(length, offset)| ByteRange { offset: offset.unwrap_or(0), length });
        Some(Resource { url, range })
    }

    fn part(&mut self, line: usize, tag: &str, value: Option<&str>, problems: &mut Problems) -> Option<Part> {
        let list = Attributes::read(line, tag, value, problems);
        list.require(&["URI", "DURATION"], problems);
        let url = self.join(line, list.quoted("URI", problems)?, problems)?;
        let range = list.quoted("BYTERANGE", problems).and_then(|text| byte_range(line, text, problems));
        let resource = self.ranged(url, range);
        let duration = list.decimal("DURATION", problems)?;
        let (independent, gap) = (list.yes("INDEPENDENT", problems), list.yes("GAP", problems));
        Some(Part { resource, duration, independent, gap })
    }

    fn join(&self, line: usize, text: &str, problems: &mut Problems) -> Option<Url> {
        let joined = self.base.as_ref().and_then(|base| base.join(text).ok());
        if joined.is_none() {
            problems.add(line, format!("{text:?} is not an address"));
        }
        joined
    }

    /// A range without an offset begins where the previous one of the same resource ended (§4.4.4.2).
    fn ranged(&mut self, url: Url, range: Option<(u64, Option<u64>)>) -> Resource {
        let range = range.map(|(length, offset)| {
            let after = self.previous.take().filter(|(other, _)| *other == url).map_or(0, |(_, end)| end);
            ByteRange { offset: offset.unwrap_or(after), length }
        });
        self.previous = range.map(|range| (url.clone(), range.offset.saturating_add(range.length)));
        Resource { url, range }
    }

    /// Takes the address that ends a segment.
    pub(super) fn uri(&mut self, line: usize, text: &str, problems: &mut Problems) -> Option<Segment> {
        if !self.extinf {
            problems.add(line, "a segment has no EXTINF");
        }
        let range = self.range.take();
        let url = self.join(line, text, problems)?;
        let resource = self.ranged(url, range);
        (self.extinf, self.pending) = (false, false);
        let follows = Segment {
            number: self.next.number.saturating_add(1),
            discontinuity_number: self.next.discontinuity_number,
            map: self.next.map.clone(),
            ..Segment::default()
        };
        let mut done = std::mem::replace(&mut self.next, follows);
        done.resource = Some(resource);
        Some(done)
    }

    /// What is left at the end: parts of the segment that is being made.
    pub(super) fn rest(self, problems: &mut Problems) -> Option<Segment> {
        if self.extinf {
            problems.add(0, "the last EXTINF has no segment");
        }
        self.pending.then_some(self.next).filter(|next| !next.parts.is_empty())
    }
}

fn byte_range(line: usize, text: &str, problems: &mut Problems) -> Option<(u64, Option<u64>)> {
    let (length, offset) =
        text.split_once('@').map_or((text, None), |(length, offset)| (length, Some(offset)));
    let read = match offset {
        Some(offset) => integer(length).zip(integer(offset)).map(|(length, offset)| (length, Some(offset))),
        None => integer(length).map(|length| (length, None)),
    };
    let read =
        read.filter(|(length, offset)| *length > 0 && offset.unwrap_or(0).checked_add(*length).is_some());
    if read.is_none() {
        problems.add(line, format!("{text:?} is not a byte range"));
    }
    read
}

/// Seconds after 1970; the zone must be named (§4.4.4.6 wants it).
fn date(text: &str) -> Option<f64> {
    use time::format_description::well_known::Iso8601;
    let date = time::OffsetDateTime::parse(text, &Iso8601::PARSING).ok()?;
    Some(date.unix_timestamp_nanos() as f64 / 1e9)
}
