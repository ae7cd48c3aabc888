//! Which renditions a source gets, and of what size. Pure.

use super::error::MediaError;
use super::settings::Rung;

/// Least accepted side of a picture, pixels: below it x264 and players misbehave.
pub(super) const MIN_SIDE: u32 = 16;
/// Greatest accepted side, pixels: 4K. Bounds the memory of a hostile source's frames (12 MiB each).
pub(super) const MAX_SIDE: u32 = 4_096;
/// Pixel aspect ratios beyond 1:4 and 4:1 are nonsense and taken as square.
const MAX_ASPECT: f64 = 4.0;
/// A source this little below a rung (percent) still gets it, at its own size: 1072 lines are "1080p".
const TOLERANCE_PERCENT: u64 = 5;

/// The source's picture.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Picture {
    pub(super) width: u32,
    pub(super) height: u32,
    /// Width of a pixel divided by its height.
    pub(super) aspect: f64,
}

/// A rung and the size it gets; pixels are square.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Sized {
    pub(super) rung: Rung,
    pub(super) width: u32,
    pub(super) height: u32,
}

/// Renditions by descending size; at least one.
pub(super) fn plan(picture: Picture, ladder: &[Rung]) -> Result<Vec<Sized>, MediaError> {
    let Picture { width, height, aspect } = picture;
    let accepted = MIN_SIDE..=MAX_SIDE;
    if !accepted.contains(&width) || !accepted.contains(&height) {
        return Err(MediaError::PictureSize { width, height, min: MIN_SIDE, max: MAX_SIDE });
    }
    let (shown_width, shown_height) = shown(width, height, aspect);
    let short = shown_width.min(shown_height);
    let fits = |rung: &&Rung| u64::from(rung.height) * (100 - TOLERANCE_PERCENT) <= (short * 100.0) as u64;
    let mut rungs: Vec<&Rung> = ladder.iter().filter(fits).collect();
    if rungs.is_empty() {
        rungs.extend(ladder.iter().min_by_key(|r| r.height));
    }
    if rungs.is_empty() {
        return Err(MediaError::NoRungs);
    }
    rungs.sort_by_key(|r| std::cmp::Reverse(r.height));
    Ok(rungs
        .into_iter()
        .map(|rung| {
            let scale = (f64::from(rung.height) / short).min(1.0);
            Sized { rung: rung.clone(), width: even(shown_width * scale), height: even(shown_height * scale) }
        })
        .collect())
}

/// Size on square pixels: the side whose pixels are longer grows, so that nothing of the source is thrown away.
fn shown(width: u32, height: u32, aspect: f64) -> (f64, f64) {
    let (w, h) = (f64::from(width), f64::from(height));
    if !(1.0 / MAX_ASPECT..=MAX_ASPECT).contains(&aspect) {
        (w, h)
    } else if aspect >= 1.0 {
        (w * aspect, h)
    } else {
        (w, h / aspect)
    }
}

/// 4:2:0 needs even sides.
fn even(side: f64) -> u32 {
    ((side / 2.0 + 1e-6).floor() as u32 * 2).max(MIN_SIDE)
}

/// Table A-1 of H.264: level, macroblocks/s, macroblocks a frame, kbit/s for High.
const LEVELS: [(&str, u64, u64, u64); 13] = [
    ("1.3", 11_880, 396, 960),
    ("2.1", 19_800, 792, 5_000),
    ("2.2", 20_250, 1_620, 5_000),
    ("3.0", 40_500, 1_620, 12_500),
    ("3.1", 108_000, 3_600, 17_500),
    ("3.2", 216_000, 5_120, 25_000),
    ("4.0", 245_760, 8_192, 25_000),
    ("4.1", 245_760, 8_192, 62_500),
    ("4.2", 522_240, 8_704, 62_500),
    ("5.0", 589_824, 22_080, 168_750),
    ("5.1", 983_040, 36_864, 300_000),
    ("5.2", 2_073_600, 36_864, 300_000),
    ("6.2", 16_711_680, 139_264, 1_000_000),
];

/// The lowest level that fits. Rates are rounded up to 30, 60, 120 ..., so that a source whose rate is measured
/// a little differently after a resume still gets the same init segment.
pub(super) fn level(width: u32, height: u32, frame_rate: f64, maxrate: u32) -> &'static str {
    let blocks = u64::from(width.div_ceil(16)) * u64::from(height.div_ceil(16));
    let mut rate = 30_u64;
    while (rate as f64) < frame_rate && rate < 480 {
        rate *= 2;
    }
    LEVELS
        .iter()
        .find(|(_, per_second, per_frame, kbps)| {
            blocks * rate <= *per_second && blocks <= *per_frame && u64::from(maxrate) <= kbps * 1_000
        })
        .map_or("6.2", |(name, ..)| name)
}

/// Rates that cameras and encoders use; a measured rate within 1 % of one is that one.
const RATES: [f64; 12] = [
    10.0,
    12.0,
    15.0,
    20.0,
    24_000.0 / 1_001.0,
    24.0,
    25.0,
    30_000.0 / 1_001.0,
    30.0,
    50.0,
    60_000.0 / 1_001.0,
    60.0,
];

/// The nominal rate, from the candidates in order of trust.
pub(super) fn frame_rate(candidates: impl IntoIterator<Item = f64>) -> f64 {
    let Some(rate) = candidates.into_iter().find(|r| (1.0..=240.0).contains(r)) else { return 30.0 };
    RATES
        .into_iter()
        .filter(|known| (known / rate - 1.0).abs() < 0.01)
        .min_by(|a, b| (a - rate).abs().total_cmp(&(b - rate).abs()))
        .unwrap_or((rate * 1_000.0).round() / 1_000.0)
}

#[cfg(test)]
mod tests {
    use super::super::settings::EngineSettings;
    use super::*;

    fn sizes(width: u32, height: u32, aspect: f64) -> Vec<(String, u32, u32)> {
        plan(Picture { width, height, aspect }, &EngineSettings::default().ladder)
            .unwrap()
            .into_iter()
            .map(|s| (s.rung.name, s.width, s.height))
            .collect()
    }

    #[test]
    fn sizes_follow_the_shorter_side_and_never_grow() {
        let all = |a: [(&str, u32, u32); 3]| a.map(|(n, w, h)| (n.to_owned(), w, h)).to_vec();
        assert_eq!(
            sizes(1920, 1080, 1.0),
            all([("720p", 1280, 720), ("480p", 852, 480), ("360p", 640, 360)])
        );
        assert_eq!(
            sizes(1080, 1920, 1.0),
            all([("720p", 720, 1280), ("480p", 480, 852), ("360p", 360, 640)])
        );
        assert_eq!(sizes(1280, 716, 1.0)[0], ("720p".to_owned(), 1280, 716));
        assert_eq!(sizes(854, 480, 1.0).len(), 2);
        assert_eq!(sizes(160, 90, 1.0), [("360p".to_owned(), 160, 90)]);
        assert_eq!(sizes(177, 101, 1.0), [("360p".to_owned(), 176, 100)]);
    }

    #[test]
    fn odd_pixels_become_square() {
        assert_eq!(sizes(720, 576, 64.0 / 45.0)[0], ("480p".to_owned(), 852, 480));
        assert_eq!(sizes(720, 480, 8.0 / 9.0)[0], ("480p".to_owned(), 640, 480));
        assert_eq!(sizes(640, 360, 0.0)[0], ("360p".to_owned(), 640, 360));
        assert_eq!(sizes(640, 360, f64::NAN)[0], ("360p".to_owned(), 640, 360));
    }

    #[test]
    fn absurd_sizes_are_refused() {
        let ladder = EngineSettings::default().ladder;
        for (width, height) in [(8, 8), (5000, 100), (100, 16_384), (0, 0)] {
            let error = plan(Picture { width, height, aspect: 1.0 }, &ladder).unwrap_err();
            assert!(matches!(error, MediaError::PictureSize { .. }));
        }
    }

    #[test]
    fn levels_and_rates() {
        assert_eq!(level(1280, 720, 29.97, 3_000_000), "3.1");
        assert_eq!(level(1280, 720, 59.94, 3_000_000), "3.2");
        assert_eq!(level(1920, 1080, 30.0, 6_000_000), "4.0");
        assert!((frame_rate([0.0, 29.9]) - 30_000.0 / 1_001.0).abs() < 1e-9);
        assert!((frame_rate([90_000.0]) - 30.0).abs() < 1e-9);
        assert!((frame_rate([7.5]) - 7.5).abs() < 1e-9);
    }
}
