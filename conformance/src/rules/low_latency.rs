//! Rules about low-latency delivery: what the server promises, and whether it keeps it (RFC 8216bis §6.2.5, appendix B).

use url::Url;

use crate::playlist::{MediaPlaylist, RenditionReport, Resource, Segment};
use crate::presentation::{Load, Presentation, Rendition};
use crate::recording::{Ask, Exchange};
use crate::report::Findings;

/// Windows longer than this offer delta updates, in seconds (Apple 14.4).
const LONG_WINDOW: f64 = 120.0;
/// The Skip Boundary is at least so many target durations from the end (§4.4.3.8).
const SKIP_TARGETS: f64 = 6.0;
/// Seconds that sums of written durations may be off.
const ROUNDING: f64 = 0.001;

/// Newest playlists of low-latency renditions that still go on.
fn going_on<'p, 'a>(
    presentation: &'p Presentation<'a>,
) -> impl Iterator<Item = (&'p Rendition<'a>, &'p MediaPlaylist)> {
    let low = presentation.renditions.iter().filter(|one| one.is_low_latency());
    low.filter_map(|one| Some((one, one.newest().filter(|newest| !newest.ended)?)))
}

/// A client that changes to a rendition without parts falls behind by segments.
pub(super) fn everywhere(presentation: &Presentation<'_>, findings: &mut Findings) {
    if going_on(presentation).next().is_none() {
        return;
    }
    for rendition in presentation.renditions.iter().filter(|one| one.newest().is_some_and(|one| !one.ended)) {
        findings.expect(rendition.is_low_latency(), &rendition.name, "no EXT-X-PART-INF", "EXT-X-PART-INF");
    }
}

pub(super) fn server_control(presentation: &Presentation<'_>, findings: &mut Findings) {
    for (rendition, playlist) in going_on(presentation) {
        let control = playlist.server_control.clone().unwrap_or_default();
        let blocks = control.can_block_reload;
        findings.expect(blocks, &rendition.name, "no CAN-BLOCK-RELOAD=YES", "CAN-BLOCK-RELOAD=YES");
        if let (Some(hold_back), Some(target)) = (control.hold_back, playlist.target_duration) {
            let least = 3.0 * target as f64;
            findings.expect(hold_back >= least, &rendition.name, format!("HOLD-BACK {hold_back}"), least);
        }
    }
}

pub(super) fn hold_back(presentation: &Presentation<'_>, findings: &mut Findings) {
    for (rendition, playlist) in going_on(presentation) {
        let Some(target) = playlist.part_target else { continue };
        let found = playlist.server_control.as_ref().and_then(|control| control.part_hold_back);
        let right = found.is_some_and(|found| found + ROUNDING >= 3.0 * target);
        let found = format!("PART-HOLD-BACK {found:?}");
        findings.expect(right, &rendition.name, found, format!(">= {:.3}", 3.0 * target));
    }
}

pub(super) fn blocking(presentation: &Presentation<'_>, findings: &mut Findings) {
    for exchange in &presentation.recording.exchanges {
        let Ask::Blocking { playlist, msn, part } = &exchange.ask else { continue };
        let answer = MediaPlaylist::read(playlist, &exchange.body);
        let has = answer.all().any(|one| {
            let beyond = one.number > *msn;
            beyond || one.number == *msn && (one.resource.is_some() || one.parts.len() as u64 > *part)
        });
        let right = exchange.is_ok() && (has || answer.ended);
        let newest = format!("status {}, up to {:?}", exchange.status, answer.newest());
        findings.expect(right, exchange.url.path(), newest, format!("segment {msn} part {part}"));
    }
}

fn refused(presentation: &Presentation<'_>, findings: &mut Findings, which: fn(&Ask) -> bool) {
    for exchange in presentation.recording.exchanges.iter().filter(|one| which(&one.ask)) {
        let query = exchange.url.query().unwrap_or_default();
        let at = format!("{}?{query}", exchange.url.path());
        findings.expect(exchange.status == 400, at, format!("status {}", exchange.status), 400);
    }
}

pub(super) fn far_ahead(presentation: &Presentation<'_>, findings: &mut Findings) {
    refused(presentation, findings, |ask| matches!(ask, Ask::FarAhead { .. }));
}

pub(super) fn part_alone(presentation: &Presentation<'_>, findings: &mut Findings) {
    refused(presentation, findings, |ask| matches!(ask, Ask::PartAlone { .. }));
}

fn seconds<'s>(segments: impl Iterator<Item = &'s Segment>) -> f64 {
    segments
        .map(|one| match one.resource {
            Some(_) => one.duration,
            None => one.parts.iter().map(|part| part.duration).sum(),
        })
        .sum()
}

pub(super) fn delta_offered(presentation: &Presentation<'_>, findings: &mut Findings) {
    for (rendition, playlist) in going_on(presentation) {
        let offered = playlist.server_control.as_ref().and_then(|control| control.can_skip_until);
        let window = seconds(playlist.all());
        match (offered, playlist.target_duration) {
            (Some(until), Some(target)) => {
                let least = SKIP_TARGETS * target as f64;
                let found = format!("CAN-SKIP-UNTIL {until}");
                findings.expect(until >= least, &rendition.name, found, format!(">= {least}"));
            }
            (None, _) if window > LONG_WINDOW => {
                findings.wrong(
                    &rendition.name,
                    format!("{window:.0} s without CAN-SKIP-UNTIL"),
                    "CAN-SKIP-UNTIL",
                );
            }
            _ => {}
        }
    }
}

pub(super) fn delta(presentation: &Presentation<'_>, findings: &mut Findings) {
    for rendition in &presentation.renditions {
        for Load { playlist, .. } in &rendition.deltas {
            if playlist.skipped.is_none() {
                continue; // too short to skip anything: a full playlist is a right answer
            }
            let until = rendition.newest().and_then(|one| one.server_control.as_ref()?.can_skip_until);
            let kept = seconds(playlist.all());
            if let Some(until) = until {
                findings.expect(
                    kept + ROUNDING >= until,
                    &rendition.name,
                    format!("{kept:.3} s kept"),
                    until,
                );
            }
            for segment in &playlist.segments {
                let full = rendition
                    .loads
                    .iter()
                    .flat_map(|load| &load.playlist.segments)
                    .find(|one| one.number == segment.number);
                let Some(full) = full else { continue };
                let right = (&full.resource, full.duration, full.gap, full.discontinuity)
                    == (&segment.resource, segment.duration, segment.gap, segment.discontinuity);
                let text = |one: &Segment| {
                    let uri = one.resource.as_ref().map(ToString::to_string);
                    format!("{} {} s", uri.unwrap_or_default(), one.duration)
                };
                let at = format!("{} segment {}", rendition.name, segment.number);
                findings.expect(right, at, text(segment), text(full));
            }
        }
    }
}

/// Where parts are, for comparing: segment and part.
type PartPosition = (u64, Option<u64>);

pub(super) fn reports(presentation: &Presentation<'_>, findings: &mut Findings) {
    for rendition in presentation.renditions.iter().filter(|one| one.is_low_latency()) {
        for load in rendition.loads.iter().filter(|load| !load.playlist.ended) {
            for other in presentation.renditions.iter().filter(|one| one.url != rendition.url) {
                let same = |one: &&RenditionReport| one.url.path() == other.url.path();
                let at = || format!("{} of {}", rendition.name, other.name);
                match load.playlist.reports.iter().find(same) {
                    Some(report) => compare(load, report, other, &at(), findings),
                    None => findings.wrong(at(), "no EXT-X-RENDITION-REPORT", "one"),
                }
            }
        }
    }
}

/// A report must not be older than what had been answered before, nor newer than what is answered afterwards; one part of
/// room is left, as renditions are published one after the other.
fn compare(
    load: &Load<'_>,
    report: &RenditionReport,
    other: &Rendition<'_>,
    at: &str,
    findings: &mut Findings,
) {
    let own = load.playlist.newest();
    // What is left out is the same as for the playlist itself.
    let msn = report.last_msn.or(own.map(|(msn, _)| msn));
    let part = report.last_part.or(own.and_then(|(_, part)| part));
    let Some(msn) = msn else { return };
    let reported: PartPosition = (msn, part);
    let mut places: Vec<PartPosition> = Vec::new();
    for segment in other.loads.iter().flat_map(|one| one.playlist.all()) {
        places.extend((0..segment.parts.len() as u64).map(|part| (segment.number, Some(part))));
        places.push((segment.number, None));
    }
    places.sort_unstable();
    places.dedup();
    let steps = |from: PartPosition, to: PartPosition| {
        places.iter().filter(|one| from < **one && **one <= to && one.1.is_some()).count()
    };
    let ended = |one: &Exchange| one.at_ms.saturating_add(one.took_ms);
    let before = other.loads.iter().rev().find(|one| ended(one.exchange) <= load.exchange.at_ms);
    let after = other.loads.iter().find(|one| {
        one.exchange.at_ms >= ended(load.exchange) && matches!(one.exchange.ask, Ask::Blocking { .. })
    });
    let place = |one: &Load<'_>| one.playlist.newest();
    let stale = before.and_then(place).filter(|place| reported < *place && steps(reported, *place) > 1);
    let early = after
        .and_then(place)
        .filter(|place| *place < reported && (steps(*place, reported) > 1 || !places.contains(&reported)));
    let known = before.or(after).and_then(place);
    match stale.or(early) {
        Some(place) => findings.wrong(at, format!("{reported:?}"), format!("about {place:?}")),
        None if known.is_some() => findings.right(),
        None => {}
    }
}

pub(super) fn hint(presentation: &Presentation<'_>, findings: &mut Findings) {
    for exchange in &presentation.recording.exchanges {
        let Ask::Hint { playlist } = &exchange.ask else { continue };
        let status = format!("status {}", exchange.status);
        findings.expect(exchange.is_ok(), exchange.url.path(), status, "the part, as soon as it is there");
        let listed = presentation.recording.exchanges.iter().find(|one| {
            one.ask == Ask::Object && one.url == exchange.url && one.range == exchange.range && one.is_ok()
        });
        if let Some(listed) = listed.filter(|_| exchange.is_ok()) {
            let equal = listed.body == exchange.body;
            findings.expect(equal, exchange.url.path(), "other bytes than when it was listed", "the same");
        }
        became_next(presentation, playlist, exchange, findings);
    }
}

/// The first part beyond those of the playlist that hinted is the hinted one.
fn became_next(
    presentation: &Presentation<'_>,
    playlist: &Url,
    exchange: &Exchange,
    findings: &mut Findings,
) {
    let Some(rendition) = presentation.rendition(playlist) else { return };
    let hinted = Resource { url: exchange.url.clone(), range: exchange.range };
    let Some(index) = rendition.loads.iter().position(|load| load.playlist.hint.as_ref() == Some(&hinted))
    else {
        return;
    };
    let Some((msn, part)) = rendition.loads[index].playlist.newest() else { return };
    let next = rendition.loads[index..].iter().find_map(|load| {
        let parts = load.playlist.all().flat_map(|one| {
            (0..).zip(&one.parts).map(move |(index, part)| ((one.number, Some(index)), part))
        });
        parts.filter(|(place, _)| *place > (msn, part)).map(|(_, part)| part.resource.clone()).next()
    });
    if let Some(next) = next {
        findings.expect(
            next == hinted,
            &rendition.name,
            format!("{next} came"),
            format!("the hinted {hinted}"),
        );
    }
}
