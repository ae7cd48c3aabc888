//! A recording, read: renditions with every load of their playlists and every segment and part that was fetched. Must not
//! know which rules there are.

use std::collections::{BTreeMap, HashMap};

use url::Url;

use crate::mp4::{Handler, Init, Media, Mp4Error, Track};
use crate::playlist::{MediaPlaylist, Multivariant, Part, PlaylistType, Resource, Segment, Variant};
use crate::recording::{Ask, Exchange, Recording};

/// A whole stream as one client saw it.
pub(crate) struct Presentation<'a> {
    pub(crate) recording: &'a Recording,
    /// The newest that was readable.
    pub(crate) multivariant: Multivariant,
    pub(crate) renditions: Vec<Rendition<'a>>,
}

/// What one media playlist's address gave.
pub(crate) struct Rendition<'a> {
    /// Its file's name, for people.
    pub(crate) name: String,
    pub(crate) url: Url,
    pub(crate) kind: Handler,
    /// Whole playlists, oldest first.
    pub(crate) loads: Vec<Load<'a>>,
    /// Delta updates.
    pub(crate) deltas: Vec<Load<'a>>,
    /// By media sequence number; what was listed last for it.
    pub(crate) items: BTreeMap<u64, Item<'a>>,
    /// Initialization sections that were fetched.
    pub(crate) inits: HashMap<Resource, Result<Init, Mp4Error>>,
}

/// One playlist as it was once.
pub(crate) struct Load<'a> {
    pub(crate) exchange: &'a Exchange,
    pub(crate) playlist: MediaPlaylist,
}

/// One segment, with what was fetched of it.
pub(crate) struct Item<'a> {
    pub(crate) segment: Segment,
    pub(crate) exchange: Option<&'a Exchange>,
    pub(crate) media: Option<Result<Media, Mp4Error>>,
    pub(crate) parts: Vec<PartItem>,
}

/// One part, with what was fetched of it.
pub(crate) struct PartItem {
    pub(crate) part: Part,
    pub(crate) media: Option<Result<Media, Mp4Error>>,
}

type Objects<'a> = HashMap<Resource, &'a Exchange>;

impl<'a> Presentation<'a> {
    pub(crate) fn of(recording: &'a Recording) -> Self {
        let read = |exchange: &Exchange| Multivariant::read(&exchange.url, &exchange.body);
        let newest = recording.exchanges.iter().rev().find(|one| one.ask == Ask::Multivariant && one.is_ok());
        let multivariant = newest.map(read).unwrap_or_default();
        let mut objects = Objects::new();
        for exchange in recording.exchanges.iter().filter(|one| one.ask == Ask::Object) {
            objects.insert(Resource { url: exchange.url.clone(), range: exchange.range }, exchange);
        }
        let mut renditions: Vec<Rendition<'a>> = Vec::new();
        let variants = multivariant.variants.iter().map(|variant| &variant.url);
        let alternatives = multivariant.alternatives.iter().filter_map(|one| one.url.as_ref());
        for url in variants.chain(alternatives) {
            if renditions.iter().all(|one| one.url != *url) {
                let pictures =
                    multivariant.variants.iter().any(|one| one.url == *url && one.resolution.is_some());
                let expected = if pictures { Handler::Video } else { Handler::Audio };
                renditions.push(Rendition::of(recording, url, expected, &objects));
            }
        }
        Self { recording, multivariant, renditions }
    }

    pub(crate) fn rendition(&self, url: &Url) -> Option<&Rendition<'a>> {
        self.renditions.iter().find(|one| one.url == *url)
    }

    /// The sound that may be played with a variant, in renditions of their own.
    pub(crate) fn sound_of(&self, variant: &Variant) -> Vec<&Rendition<'a>> {
        let group = self.multivariant.alternatives.iter().filter(|one| {
            one.kind == "AUDIO"
                && variant.audio.as_ref() == Some(&one.group)
                && one.url.as_ref() != Some(&variant.url)
        });
        group.filter_map(|one| self.rendition(one.url.as_ref()?)).collect()
    }

    pub(crate) fn videos(&self) -> impl Iterator<Item = &Rendition<'a>> {
        self.renditions.iter().filter(|one| one.kind == Handler::Video)
    }
}

impl<'a> Rendition<'a> {
    fn of(recording: &'a Recording, url: &Url, expected: Handler, objects: &Objects<'a>) -> Self {
        let load =
            |exchange: &'a Exchange| Load { exchange, playlist: MediaPlaylist::read(url, &exchange.body) };
        let answered = || recording.exchanges.iter().filter(|one| one.is_ok());
        let is_load = |one: &&Exchange| match &one.ask {
            Ask::Media { playlist } | Ask::Blocking { playlist, .. } => playlist == url,
            _ => false,
        };
        let loads: Vec<_> = answered().filter(is_load).map(load).collect();
        let deltas =
            answered().filter(|one| one.ask == Ask::Delta { playlist: url.clone() }).map(load).collect();
        let name = url.path().rsplit('/').next().unwrap_or_default().trim_end_matches(".m3u8").to_owned();
        let mut rendition = Self {
            name,
            url: url.clone(),
            kind: expected,
            loads,
            deltas,
            items: BTreeMap::new(),
            inits: HashMap::new(),
        };
        rendition.read_inits(objects);
        if let Some(track) = rendition.inits.values().find_map(|init| init.as_ref().ok()?.tracks.first()) {
            rendition.kind = track.handler;
        }
        rendition.read_items(objects);
        rendition
    }

    fn read_inits(&mut self, objects: &Objects<'a>) {
        let maps = self.loads.iter().flat_map(|load| load.playlist.all()).filter_map(|one| one.map.clone());
        for map in maps {
            if self.inits.contains_key(&map) {
                continue;
            }
            if let Some(exchange) = objects.get(&map).filter(|one| one.is_ok()) {
                self.inits.insert(map, Init::read(&exchange.body));
            }
        }
    }

    fn read_items(&mut self, objects: &Objects<'a>) {
        let mut listed: BTreeMap<u64, Segment> = BTreeMap::new();
        for segment in self.loads.iter().flat_map(|load| load.playlist.all()) {
            let known = listed.remove(&segment.number).unwrap_or_default();
            let mut newest = segment.clone();
            // Parts leave a playlist some time after their segment has come.
            if known.parts.len() > newest.parts.len() {
                newest.parts = known.parts;
            }
            listed.insert(segment.number, newest);
        }
        for (number, mut segment) in listed {
            let track = segment.map.as_ref().and_then(|map| self.track(map));
            let read = |resource: &Resource| {
                let exchange = objects.get(resource).filter(|one| one.is_ok())?;
                Some(Media::read(&exchange.body, track?))
            };
            let media = segment.resource.as_ref().and_then(read);
            let parts = std::mem::take(&mut segment.parts);
            let parts =
                parts.into_iter().map(|part| PartItem { media: read(&part.resource), part }).collect();
            let exchange = segment.resource.as_ref().and_then(|resource| objects.get(resource)).copied();
            self.items.insert(number, Item { segment, exchange, media, parts });
        }
    }

    /// The only track of an initialization section.
    pub(crate) fn track(&self, map: &Resource) -> Option<&Track> {
        self.inits.get(map)?.as_ref().ok()?.tracks.first()
    }

    /// The track of the newest segment.
    pub(crate) fn newest_track(&self) -> Option<&Track> {
        self.items.values().rev().find_map(|item| self.track(item.segment.map.as_ref()?))
    }

    /// The playlist as it was last.
    pub(crate) fn newest(&self) -> Option<&MediaPlaylist> {
        self.loads.last().map(|load| &load.playlist)
    }

    /// Whether it is the playlist of a stream that goes on, or did.
    pub(crate) fn is_live(&self, recording: &Recording) -> bool {
        !recording.vod && self.newest().is_some_and(|one| one.playlist_type != Some(PlaylistType::Vod))
    }

    /// Whether it says that it has partial segments.
    pub(crate) fn is_low_latency(&self) -> bool {
        self.loads.iter().any(|load| load.playlist.part_target.is_some())
    }

    /// Segments whose media could be read, oldest first.
    pub(crate) fn media(&self) -> impl Iterator<Item = (&Segment, &Media)> {
        self.items.values().filter_map(|item| Some((&item.segment, item.media.as_ref()?.as_ref().ok()?)))
    }

    /// Runs of such segments that follow each other without a break.
    pub(crate) fn runs(&self) -> Vec<Vec<(&Segment, &Media)>> {
        let mut runs: Vec<Vec<(&Segment, &Media)>> = Vec::new();
        for (segment, media) in self.media() {
            let follows = |run: &&mut Vec<(&Segment, &Media)>| {
                run.last()
                    .is_some_and(|(last, _)| last.number + 1 == segment.number && !segment.discontinuity)
            };
            match runs.last_mut().filter(follows) {
                Some(run) => run.push((segment, media)),
                None => runs.push(vec![(segment, media)]),
            }
        }
        runs
    }
}
