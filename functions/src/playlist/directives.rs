//! What a low-latency client asks of a playlist beyond its path (RFC 8216bis section 6.2.5). Must not know timelines.

use headwater_domain::paths::MAX_PART_INDEX;
use http::StatusCode;
use lambda_http::{Request, RequestExt};

use crate::reply::Problem;

/// A segment, or a part of one: the playlist must contain it, or what comes behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Position {
    /// `_HLS_msn`.
    pub(super) segment: u64,
    /// `_HLS_part`; without, the whole segment.
    pub(super) part: Option<usize>,
}

/// The delivery directives of a request.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Directives {
    /// What the answer is to wait for.
    pub(super) until: Option<Position>,
    /// Whether segments that the client knows may be left out. `v2` differs from `YES` only in what may be left out of
    /// EXT-X-DATERANGE, of which we have none.
    pub(super) delta: bool,
    /// Whether the query is spelled as clients spell it (section 6.2.5): sorted, and nothing else. Any other spelling is a
    /// question of its own to caches, and no answer is waited for.
    pub(super) canonical: bool,
}

impl Directives {
    /// Reads them; others that begin with `_HLS_` are for servers that know them.
    pub(super) fn of(request: &Request) -> Result<Self, Problem> {
        let segment = number(request, "_HLS_msn", u64::MAX - 2)?;
        let part = number(request, "_HLS_part", MAX_PART_INDEX as u64)?;
        let until = match (segment, part) {
            (Some(segment), part) => {
                Some(Position { segment, part: part.map(|part| usize::try_from(part).unwrap_or(usize::MAX)) })
            }
            (None, Some(_)) => {
                return Err(refused("_HLS_part needs _HLS_msn, the segment that it is a part of"));
            }
            (None, None) => None,
        };
        let delta = match one(request, "_HLS_skip")?.as_deref() {
            None => false,
            Some("YES" | "v2") => true,
            Some(_) => return Err(refused("_HLS_skip is YES or v2")),
        };
        let directives = Self { until, delta, canonical: true };
        let canonical = request.uri().query().unwrap_or_default() == directives.query();
        Ok(Self { canonical, ..directives })
    }

    /// The query that clients ask with. `v2` is for playlists with EXT-X-DATERANGE, so nobody asks ours with it.
    fn query(&self) -> String {
        let segment = self.until.map(|until| format!("_HLS_msn={}", until.segment));
        let part = self.until.and_then(|until| until.part).map(|part| format!("_HLS_part={part}"));
        let skip = self.delta.then(|| "_HLS_skip=YES".to_owned());
        [segment, part, skip].into_iter().flatten().collect::<Vec<_>>().join("&")
    }
}

fn one(request: &Request, name: &str) -> Result<Option<String>, Problem> {
    let query = request.query_string_parameters();
    match query.all(name).unwrap_or_default().as_slice() {
        [] => Ok(None),
        [value] => Ok(Some((*value).to_owned())),
        _ => Err(refused(&format!("{name} is there more than once"))),
    }
}

fn number(request: &Request, name: &str, most: u64) -> Result<Option<u64>, Problem> {
    let Some(text) = one(request, name)? else { return Ok(None) };
    // Only the one way to write it: `+1` and `01` would be other questions for caches.
    let is_its_own = |number: &u64| number.to_string() == text;
    match text.parse().ok().filter(|number| *number <= most && is_its_own(number)) {
        Some(number) => Ok(Some(number)),
        None => Err(refused(&format!("{name} is a number from 0 to {most}"))),
    }
}

/// A request that no client has a reason to send.
pub(super) fn refused(detail: &str) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, "bad-directive", "Bad delivery directive", detail)
}
