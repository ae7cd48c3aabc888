//! Multivariant playlists (RFC 8216bis §4.4.6).

use std::collections::BTreeSet;

use url::Url;

use super::Problems;
use super::attributes::Attributes;
use super::lines::{Line, lines};

/// EXT-X-STREAM-INF and its address.
#[derive(Debug, Clone, PartialEq)]
pub struct Variant {
    pub url: Url,
    pub bandwidth: Option<u64>,
    pub average_bandwidth: Option<u64>,
    pub codecs: Option<Vec<String>>,
    pub resolution: Option<(u32, u32)>,
    pub frame_rate: Option<f64>,
    /// GROUP-ID of its sound.
    pub audio: Option<String>,
}

/// EXT-X-MEDIA.
#[derive(Debug, Clone, PartialEq)]
pub struct Alternative {
    pub kind: String,
    pub group: String,
    pub name: String,
    pub language: Option<String>,
    pub url: Option<Url>,
}

/// What a multivariant playlist says.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Multivariant {
    pub independent_segments: bool,
    pub variants: Vec<Variant>,
    pub alternatives: Vec<Alternative>,
    pub problems: Problems,
}

impl Multivariant {
    pub fn read(base: &Url, body: &[u8]) -> Self {
        let mut problems = Problems::default();
        let lines = lines(body, &mut problems);
        let mut playlist = Self::default();
        let mut waiting: Option<Attributes<'_>> = None;
        for (line, content) in lines {
            match content {
                Line::Uri(text) => match (waiting.take(), base.join(text)) {
                    (Some(list), Ok(url)) => playlist.variants.push(variant(&list, url, &mut problems)),
                    (Some(_), Err(_)) => problems.add(line, format!("{text:?} is not an address")),
                    (None, _) => problems.add(line, "an address without EXT-X-STREAM-INF"),
                },
                Line::Tag { name: name @ "-X-STREAM-INF", value } => {
                    if waiting.is_some() {
                        problems.add(line, "the EXT-X-STREAM-INF before has no address");
                    }
                    let list = Attributes::read(line, name, value, &mut problems);
                    list.require(&["BANDWIDTH"], &mut problems);
                    waiting = Some(list);
                }
                Line::Tag { name: name @ "-X-MEDIA", value } => {
                    let list = Attributes::read(line, name, value, &mut problems);
                    list.require(&["TYPE", "GROUP-ID", "NAME"], &mut problems);
                    let quoted =
                        |name, problems: &mut Problems| list.quoted(name, problems).map(str::to_owned);
                    playlist.alternatives.push(Alternative {
                        kind: list.word("TYPE", &mut problems).unwrap_or_default().to_owned(),
                        group: quoted("GROUP-ID", &mut problems).unwrap_or_default(),
                        name: quoted("NAME", &mut problems).unwrap_or_default(),
                        language: quoted("LANGUAGE", &mut problems),
                        url: list.quoted("URI", &mut problems).and_then(|text| base.join(text).ok()),
                    });
                }
                Line::Tag { name: "-X-INDEPENDENT-SEGMENTS", .. } => playlist.independent_segments = true,
                Line::Tag {
                    name: name @ ("INF" | "-X-TARGETDURATION" | "-X-MEDIA-SEQUENCE" | "-X-ENDLIST" | "-X-MAP"),
                    ..
                } => problems.add(line, format!("EXT{name} belongs to a media playlist")),
                Line::Tag { .. } => {}
            }
        }
        if waiting.is_some() {
            problems.add(0, "the last EXT-X-STREAM-INF has no address");
        }
        if playlist.variants.is_empty() {
            problems.add(0, "there is no variant");
        }
        playlist.groups(&mut problems);
        playlist.problems = problems;
        playlist
    }

    /// Groups that variants name exist, and their members differ in name (§4.4.6.1.1).
    fn groups(&self, problems: &mut Problems) {
        let mut names = BTreeSet::new();
        for one in &self.alternatives {
            if !names.insert((&one.kind, &one.group, &one.name)) {
                problems.add(0, format!("{:?} is twice in group {:?}", one.name, one.group));
            }
        }
        for group in self.variants.iter().filter_map(|variant| variant.audio.as_ref()) {
            if !self.alternatives.iter().any(|one| one.kind == "AUDIO" && one.group == *group) {
                problems.add(0, format!("there is no audio group {group:?}"));
            }
        }
    }
}

fn variant(list: &Attributes<'_>, url: Url, problems: &mut Problems) -> Variant {
    let codecs = list.quoted("CODECS", problems);
    Variant {
        url,
        bandwidth: list.integer("BANDWIDTH", problems),
        average_bandwidth: list.integer("AVERAGE-BANDWIDTH", problems),
        codecs: codecs.map(|text| text.split(',').map(|one| one.trim().to_owned()).collect()),
        resolution: list.resolution("RESOLUTION", problems),
        frame_rate: list.decimal("FRAME-RATE", problems),
        audio: list.quoted("AUDIO", problems).map(str::to_owned),
    }
}
