//! A viewer who keeps the page open: asks as the edge does, the region in the path first, then the other one.

use headwater_conformance::playlist::{Multivariant, at_path};
use headwater_domain::paths::EdgePath;
use headwater_domain::testing::samples;

use super::check::playlists::{Playlist, get};
use super::executor::{self, NETWORK, sleep};
use super::simulation::{self, Side, tell, violated};

/// A player reloads about so often.
const RELOAD_EVERY: u64 = 3_000;
/// Replication that works is done after so long; a region may be that much behind, and two segments.
const BEHIND: u64 = 2;

/// What the viewer saw last.
struct Seen {
    path: String,
    from: Side,
    playlist: Playlist,
}

pub fn start() {
    executor::spawn(NETWORK, async {
        let mut seen: Option<Seen> = None;
        loop {
            sleep(RELOAD_EVERY).await;
            let path = match &seen {
                Some(seen) => seen.path.clone(),
                None => match open() {
                    Some(path) => path,
                    None => continue,
                },
            };
            let Some((from, text)) = ask(&path) else { continue };
            let playlist = Playlist::parse(&path, &text);
            if let Some(before) = &seen {
                compare(before, from, &playlist);
            }
            seen = (!playlist.ended).then_some(Seen { path, from, playlist });
        }
    });
}

/// Opens the stream's playback URL; the path of its media playlist.
fn open() -> Option<String> {
    let path = EdgePath::Live(samples::stream_id()).to_string();
    let (_, text) = ask(&path)?;
    let playlist = Multivariant::read(&at_path(&path)?, text.as_bytes());
    Some(playlist.variants.first()?.url.path().to_owned())
}

/// One region, then the other if it fails.
fn ask(path: &str) -> Option<(Side, String)> {
    let first = if path.split('/').nth(1)? == Side::B.region().as_str() { Side::B } else { Side::A };
    for (side, attempt) in [(first, "1"), (first.peer(), "2")] {
        if simulation::with(|sim| sim.region(side).api_down || sim.region(side).lost) {
            continue;
        }
        match get(side, path, Some(attempt)) {
            Ok(text) => return Some((side, text)),
            Err(500..) => {}
            // An answer, if not a good one.
            Err(_) => return None,
        }
    }
    None
}

fn compare(before: &Seen, from: Side, now: &Playlist) {
    // Within one region the checks of playlists look at more than a viewer sees.
    if from == before.from {
        return;
    }
    let back = before.playlist.end().saturating_sub(now.end());
    tell(|| format!("the viewer crosses to {from:?}: {} -> {}", before.playlist.end(), now.end()));
    let (lag, is_disturbed) =
        simulation::with(|sim| (sim.lag.1, sim.is_cut() || executor::now() < sim.disturbed_until));
    if !is_disturbed && back > lag.div_ceil(1_000) + BEHIND {
        let end = before.playlist.end();
        violated(|| format!("a viewer who crosses to {from:?} jumps back from {end} to {}", now.end()));
    }
}
