//! Gaps and breaks as playlists have them. `headwater_domain::timeline` says which there are.

use headwater_domain::timeline::{Entry, Gap, breaks_shown};
use headwater_hls::{MAX_FURTHER_BREAKS, MediaDuration, Segment};

use super::common::{internal, object_uri};
use crate::reply::Problem;

/// The numbers between two entries as gaps.
pub(super) fn fill_gap(
    segments: &mut Vec<Segment>,
    before: &Entry,
    after: &Entry,
    rendition: &str,
) -> Result<(), Problem> {
    let gap = Gap::between(before, after);
    let millis = u64::try_from(gap.each.as_millis()).unwrap_or(u64::MAX);
    let duration = MediaDuration::new(millis, 1_000).map_err(internal)?;
    for number in gap.numbers() {
        let missing = Entry { number, ..before.clone() };
        segments.push(Segment::new(object_uri(&missing.media_path(rendition))?, duration).lost(true));
    }
    Ok(())
}

/// How many breaks stand before each entry: no more than a playlist may have.
pub(super) fn breaks(entries: &[Entry]) -> Vec<u64> {
    let most = 1 + MAX_FURTHER_BREAKS;
    breaks_shown(entries).into_iter().map(|breaks| breaks.min(most)).collect()
}
