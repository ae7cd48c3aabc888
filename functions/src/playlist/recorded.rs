//! Which renditions a recording has. Each spans all of it, with the nearest of its kind where it was not made, so it does
//! not matter for what can be seen which ones are listed; it matters that they can be told by their names. Pure.

use headwater_domain::timeline::{Entry, EntryRendition, PICTURES, SOUND, TrackKind};

/// The renditions of a recording, best first, as they were described last.
///
/// What the last segments have is by chance: a busy machine leaves rungs out, an encoder comes back with sound only. So it
/// is those that are there for half of the longest of their kind, as far as their names are found at either end of the
/// timeline, where a name is looked for. A kind that is there in between only has one name for the best of it.
/// `ends`: what is read there.
pub(super) fn recorded(entries: &[Entry], ends: &[Entry]) -> Vec<EntryRendition> {
    let mut of_kind = [lengths(entries, is_video), lengths(entries, |one| !is_video(one))];
    let names = [PICTURES, SOUND];
    let mut listed: Vec<EntryRendition> = Vec::new();
    for (found, name) in of_kind.iter_mut().zip(names) {
        let longest = found.iter().map(|(_, length)| *length).fold(0.0, f64::max);
        let best = found.iter().max_by_key(|(one, _)| size(one)).map(|(one, _)| one.clone());
        found.retain(|(one, _)| ends.iter().any(|entry| entry.rendition(&one.name).is_some()));
        let often: Vec<_> = found.iter().filter(|(_, length)| *length >= longest / 2.0).collect();
        let found = if often.is_empty() { found.iter().collect() } else { often };
        match best {
            Some(best) if found.is_empty() => listed.push(EntryRendition { name: name.to_owned(), ..best }),
            _ => listed.extend(found.into_iter().map(|(one, _)| one.clone())),
        }
    }
    listed.sort_by_key(|one| std::cmp::Reverse(size(one)));
    listed
}

/// Seconds of each rendition of a kind.
fn lengths(entries: &[Entry], kind: impl Fn(&EntryRendition) -> bool) -> Vec<(EntryRendition, f64)> {
    let mut found: Vec<(EntryRendition, f64)> = Vec::new();
    for entry in entries.iter().rev().filter(|entry| !entry.gap) {
        let seconds = entry.span().map_or(0.0, |span| span.duration.seconds());
        for one in entry.renditions.iter().filter(|one| kind(one)) {
            match found.iter_mut().find(|(known, _)| known.name == one.name) {
                Some((_, length)) => *length += seconds,
                None => found.push((one.clone(), seconds)),
            }
        }
    }
    found
}

fn is_video(rendition: &EntryRendition) -> bool {
    matches!(rendition.kind, TrackKind::Video { .. })
}

/// Best last.
fn size(one: &EntryRendition) -> (u64, u64) {
    let pixels = match one.kind {
        TrackKind::Video { width, height, .. } => u64::from(width) * u64::from(height),
        TrackKind::Audio { .. } => 0,
    };
    (pixels, one.max_bitrate)
}
