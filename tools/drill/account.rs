//! What encoder and viewers saw between two moments, put together from what they noted. Pure.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::publisher::{Event, What};
use crate::viewer::Seen;

/// Playlists round to milliseconds; less is no hole.
const MIN_HOLE: Duration = Duration::from_millis(50);

/// What a player has in hand when something breaks: three target durations (RFC 8216bis section 6.3.3).
const BEHIND: Duration = Duration::from_secs(6);

/// What was seen; times in seconds.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub(crate) struct Account {
    /// Times that the encoder's connection broke.
    pub(crate) cuts: usize,
    /// Times that it was not taken.
    pub(crate) refusals: usize,
    /// How long it was not on the air.
    pub(crate) off_air: f64,
    /// Index of the region that took it last.
    pub(crate) region: Option<usize>,
    /// Answers at the edge by status; 0 is none, not even when the request was repeated.
    pub(crate) statuses: BTreeMap<u16, usize>,
    /// Transfers that broke off and were repeated.
    pub(crate) repeated: usize,
    /// Longest time without new media.
    pub(crate) waited: f64,
    /// How long the picture stood still for a player that was three segments behind when it broke.
    pub(crate) stalled: f64,
    /// From when the encoder was taken again to its first new media.
    pub(crate) back_after: Option<f64>,
    /// New segments.
    pub(crate) segments: usize,
    /// Of them missing (EXT-X-GAP).
    pub(crate) gaps: usize,
    /// Of them behind a discontinuity.
    pub(crate) discontinuities: usize,
    /// Source time that no segment shows, by EXT-X-PROGRAM-DATE-TIME.
    pub(crate) missing: f64,
    /// Playlists whose newest segments were gone again.
    pub(crate) jumps: Vec<String>,
    /// What no viewer should see.
    pub(crate) offences: Vec<String>,
}

impl Account {
    /// Of what happened from `began` to `ended`.
    pub(crate) fn between(began: Instant, ended: Instant, encoder: &[Event], seen: &Seen) -> Self {
        let during = |at: Instant| began <= at && at <= ended;
        let at = |when: Instant, what: &str| format!("{what}, after {:.1} s", (when - began).as_secs_f64());
        let mut account = Self::default();
        account.encoder(began, ended, encoder);
        account.repeated = seen.repeated.iter().filter(|at| during(**at)).count();
        for asked in seen.asked.iter().filter(|asked| during(asked.at)) {
            *account.statuses.entry(asked.status).or_default() += 1;
            if !(200..300).contains(&asked.status) {
                account.offences.push(at(asked.at, &format!("{} for {}", asked.status, asked.path)));
            }
        }
        // The wait that was under way when it broke counts from its beginning.
        let before = seen.arrivals.iter().rev().find(|arrival| arrival.at < began);
        let mut last = before.map_or(began, |arrival| arrival.at);
        let mut runs_dry = last + BEHIND;
        for arrival in seen.arrivals.iter().filter(|arrival| during(arrival.at)) {
            account.segments += 1;
            account.gaps += usize::from(arrival.gap);
            account.discontinuities += usize::from(arrival.discontinuity);
            if arrival.missing >= MIN_HOLE {
                account.missing += arrival.missing.as_secs_f64();
            }
            if !arrival.gap {
                account.waited = account.waited.max((arrival.at - last).as_secs_f64());
                last = arrival.at;
                account.stalled += arrival.at.saturating_duration_since(runs_dry).as_secs_f64();
                runs_dry = runs_dry.max(arrival.at) + arrival.duration;
            }
        }
        account.stalled += ended.saturating_duration_since(runs_dry).as_secs_f64();
        account.waited = account.waited.max(ended.saturating_duration_since(last).as_secs_f64());
        let jumps = seen.jumps.iter().filter(|(at, _)| during(*at));
        account.jumps = jumps.map(|(when, what)| at(*when, what)).collect();
        let offences = seen.offences.iter().filter(|(at, _)| during(*at));
        account.offences.extend(offences.map(|(when, what)| at(*when, what)));
        let taken =
            encoder.iter().rev().find(|event| during(event.at) && matches!(event.what, What::OnAir(_)));
        account.back_after = taken.and_then(|taken| {
            // What comes before the discontinuity is of the lost connection.
            let mut of_it = seen.arrivals.iter().skip_while(|one| one.at < taken.at || !one.discontinuity);
            Some((of_it.find(|arrival| !arrival.gap)?.at - taken.at).as_secs_f64())
        });
        account
    }

    fn encoder(&mut self, began: Instant, ended: Instant, events: &[Event]) {
        let mut lost = None;
        for event in events.iter().filter(|event| event.at <= ended) {
            let counts = event.at >= began;
            match event.what {
                What::OnAir(region) => {
                    self.region = Some(region);
                    let lost = lost.take().filter(|_| counts);
                    self.off_air += lost.map_or(0.0, |lost: Instant| (event.at - lost).as_secs_f64());
                }
                What::Lost => {
                    lost = Some(event.at);
                    self.cuts += usize::from(counts);
                }
                What::Refused(_) => self.refusals += usize::from(counts),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::viewer::{Arrival, Asked};

    #[test]
    fn only_events_within_the_scene_count() {
        let start = Instant::now();
        let at = |seconds: u64| start + Duration::from_secs(seconds);
        let event = |seconds, what| Event { at: at(seconds), what };
        let encoder = [
            event(0, What::OnAir(0)),
            event(12, What::Lost),
            event(13, What::Refused(0)),
            event(15, What::OnAir(1)),
        ];
        let arrival = |seconds: u64, gap, discontinuity, hole: u64| Arrival {
            at: at(seconds),
            uri: String::new(),
            gap,
            discontinuity,
            missing: Duration::from_secs(hole),
            duration: Duration::from_secs(1),
        };
        let asked = |seconds, status| Asked { at: at(seconds), status, path: "/x".to_owned() };
        let seen = Seen {
            asked: vec![asked(5, 503), asked(11, 200), asked(14, 503)],
            repeated: vec![at(4), at(14)],
            arrivals: vec![
                arrival(2, false, true, 9),
                arrival(9, false, false, 0),
                arrival(16, true, false, 0),
                arrival(18, false, true, 3),
                arrival(19, false, false, 0),
            ],
            jumps: vec![(at(3), "early".to_owned()), (at(20), "late".to_owned())],
            offences: vec![(at(1), "early".to_owned()), (at(17), "late".to_owned())],
        };
        let expected = Account {
            cuts: 1,
            refusals: 1,
            off_air: 3.0,
            region: Some(1),
            statuses: [(200, 1), (503, 1)].into(),
            repeated: 1,
            waited: 9.0,
            // From 15 (what was in hand at 9) to 18.
            stalled: 3.0,
            back_after: Some(3.0),
            segments: 3,
            gaps: 1,
            discontinuities: 1,
            missing: 3.0,
            jumps: vec!["late, after 10.0 s".to_owned()],
            offences: vec!["503 for /x, after 4.0 s".to_owned(), "late, after 7.0 s".to_owned()],
        };
        assert_eq!(Account::between(at(10), at(20), &encoder, &seen), expected);
    }
}
