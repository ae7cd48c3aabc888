//! Which renditions a source gets, and of what size. Pure.

use crate::media::error::MediaError;
use crate::media::settings::Rung;

/// Least accepted side of a picture, pixels: below it x264 and players misbehave.
pub(super) const MIN_SIDE: u32 = 16;
/// Greatest accepted side, pixels: 4K. Bounds the memory of a hostile source's frames (12 MiB each).
pub(super) const MAX_SIDE: u32 = 4_096;
/// Pixel aspect ratios beyond 1:4 and 4:1 are nonsense and taken as square.
const MAX_ASPECT: f64 = 4.0;
/// A source this little below a rung (percent) still gets it, at its own size: 1072 lines are "1080p".
const TOLERANCE_PERCENT: u64 = 5;

/// Frame rates above this (Hz) are "60": the small renditions of such a source get every second frame, unless the
/// stream has a ladder of its own.
const HIGH_RATE: f64 = 32.0;
/// Lines from which a rendition keeps a high frame rate.
const HIGH_RATE_LINES: u32 = 720;
/// A rendition costs at most this share of the one above it (percent): closer ones are not worth their encoder.
const STEP_PERCENT: u64 = 65;
/// The least bits per second a rendition gets, however poor the source.
const MIN_BITRATE: u32 = 100_000;
/// A source that costs more than this much of what its size needs is encoded anew: it is the viewers' network that pays.
const COPY_PERCENT: u64 = 220;

/// Bits per second that a rendition of so many lines needs, at up to 30 frames a second and above.
const LADDER: [(u32, u32, u32); 4] = [
    (1_080, 4_500_000, 6_000_000),
    (720, 2_800_000, 4_000_000),
    (480, 1_400_000, 1_400_000),
    (360, 800_000, 800_000),
];

/// The source, as far as a ladder depends on it. Not on the bit rate that the encoder claims: encoders confuse units, say 0,
/// begin low and adapt. Constant quality spends on a poor source what it is worth.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Picture {
    pub(crate) width: u32,
    pub(crate) height: u32,
    /// Width of a pixel divided by its height.
    pub(crate) aspect: f64,
    /// Nominal frames per second.
    pub(crate) frame_rate: f64,
}

/// A rung and the size it gets; pixels are square.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sized {
    pub(crate) rung: Rung,
    pub(crate) width: u32,
    pub(crate) height: u32,
    /// Only every second frame.
    pub(crate) halved: bool,
}

/// What becomes of a source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Plan {
    /// Renditions by descending size if all are encoded; at least one.
    pub(crate) encoded: Vec<Sized>,
    /// The source itself as the top rendition, if it may be.
    pub(crate) copy: Option<Copied>,
}

/// The source as a rendition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Copied {
    pub(crate) sized: Sized,
    /// Bits per second beyond which it is encoded anew.
    pub(crate) up_to: u32,
    /// How many of the largest encoded renditions it makes superfluous.
    pub(crate) replaces: usize,
}

/// Renditions of a source by the stream's own ladder, or by what the source is.
pub(crate) fn plan(picture: Picture, ladder: Option<&[Rung]>) -> Result<Plan, MediaError> {
    let Picture { width, height, aspect, .. } = picture;
    let accepted = MIN_SIDE..=MAX_SIDE;
    if !accepted.contains(&width) || !accepted.contains(&height) {
        return Err(MediaError::PictureSize { width, height, min: MIN_SIDE, max: MAX_SIDE });
    }
    let (shown_width, shown_height) = shown(width, height, aspect);
    let short = shown_width.min(shown_height);
    let rungs = match ladder {
        Some(given) => given_rungs(given, short)?,
        None => rungs_for(&picture, short),
    };
    let first = rungs.first().ok_or(MediaError::NoRungs)?;
    let whole = (shown_width, shown_height) == (f64::from(width), f64::from(height));
    let (wanted, replaces) = match ladder {
        Some(_) => (near(short as u32, first.height), 1),
        None => (true, usize::from(short as u32 <= first.height || near(short as u32, first.height))),
    };
    let copy = (whole && wanted && width % 2 == 0 && height % 2 == 0).then(|| {
        let lines = short as u32;
        let rung = if replaces == 1 { first.clone() } else { rung(lines, &picture, u32::MAX) };
        let limit = u64::from(rung.bitrate.max(needs(short, picture.frame_rate))) * COPY_PERCENT / 100;
        let up_to = u32::try_from(limit).unwrap_or(u32::MAX);
        Copied { sized: Sized { rung, width, height, halved: false }, up_to, replaces }
    });
    let sized = |rung: Rung| {
        let scale = (f64::from(rung.height) / short).min(1.0);
        let halved = ladder.is_none() && picture.frame_rate > HIGH_RATE && rung.height < HIGH_RATE_LINES;
        Sized { width: even(shown_width * scale), height: even(shown_height * scale), halved, rung }
    };
    Ok(Plan { encoded: rungs.into_iter().map(sized).collect(), copy })
}

fn reaches(lines: u32, short: f64) -> bool {
    u64::from(lines) * (100 - TOLERANCE_PERCENT) <= (short * 100.0) as u64
}

/// Those of the stream's own rungs that the source reaches; the least if it reaches none.
fn given_rungs(given: &[Rung], short: f64) -> Result<Vec<Rung>, MediaError> {
    let mut rungs: Vec<Rung> = given.iter().filter(|rung| reaches(rung.height, short)).cloned().collect();
    if rungs.is_empty() {
        rungs.extend(given.iter().min_by_key(|rung| rung.height).cloned());
    }
    rungs.sort_by_key(|rung| std::cmp::Reverse(rung.height));
    if rungs.is_empty() { Err(MediaError::NoRungs) } else { Ok(rungs) }
}

/// Rungs by the source: itself (at most 1080 lines), then those of the ladder that are clearly below.
fn rungs_for(picture: &Picture, short: f64) -> Vec<Rung> {
    let top = (short as u32).min(LADDER[0].0);
    let mut rungs = vec![rung(top, picture, u32::MAX)];
    for (lines, ..) in LADDER {
        let above = &rungs[rungs.len() - 1];
        if lines * 5 <= above.height * 4 {
            let most = u64::from(above.bitrate) * STEP_PERCENT / 100;
            rungs.push(rung(lines, picture, u32::try_from(most).unwrap_or(u32::MAX)));
        }
    }
    rungs
}

fn rung(lines: u32, picture: &Picture, most: u32) -> Rung {
    // Named by the rung of the ladder that it is, up to a few lines.
    let lines =
        LADDER.iter().map(|(known, ..)| *known).find(|&known| near(lines, known)).unwrap_or(lines & !1);
    let high = picture.frame_rate > HIGH_RATE && lines >= HIGH_RATE_LINES;
    let name = format!("{lines}p{}", if high { "60" } else { "" });
    Rung::new(&name, lines, needs(f64::from(lines), picture.frame_rate).min(most).max(MIN_BITRATE))
}

fn near(lines: u32, known: u32) -> bool {
    u64::from(lines.abs_diff(known)) * 100 <= u64::from(known) * TOLERANCE_PERCENT
}

/// Bits per second for so many lines: between the ladder's rungs and beyond them by area.
fn needs(lines: f64, frame_rate: f64) -> u32 {
    let nearest = LADDER.iter().min_by(|a, b| {
        let distance = |known: u32| (f64::from(known) / lines).ln().abs();
        distance(a.0).total_cmp(&distance(b.0))
    });
    let (known, normal, high) = *nearest.unwrap_or(&LADDER[0]);
    let area = (lines / f64::from(known)).powi(2);
    (f64::from(if frame_rate > HIGH_RATE { high } else { normal }) * area) as u32
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
pub(crate) fn level(width: u32, height: u32, frame_rate: f64, maxrate: u32) -> &'static str {
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
pub(crate) fn frame_rate(candidates: impl IntoIterator<Item = f64>) -> f64 {
    let Some(rate) = candidates.into_iter().find(|r| (1.0..=240.0).contains(r)) else { return 30.0 };
    RATES
        .into_iter()
        .filter(|known| (known / rate - 1.0).abs() < 0.01)
        .min_by(|a, b| (a - rate).abs().total_cmp(&(b - rate).abs()))
        .unwrap_or((rate * 1_000.0).round() / 1_000.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture(width: u32, height: u32, aspect: f64) -> Picture {
        Picture { width, height, aspect, frame_rate: 30.0 }
    }

    fn given() -> Vec<Rung> {
        [(720, 2_800_000), (480, 1_400_000), (360, 800_000)]
            .map(|(lines, rate)| Rung::new(&format!("{lines}p"), lines, rate))
            .into()
    }

    fn named(plan: Plan) -> Vec<(String, u32, u32)> {
        plan.encoded.into_iter().map(|s| (s.rung.name, s.width, s.height)).collect()
    }

    fn sizes(width: u32, height: u32, aspect: f64) -> Vec<(String, u32, u32)> {
        named(plan(picture(width, height, aspect), Some(&given())).unwrap())
    }

    fn rates(picture: Picture) -> Vec<(String, u32, bool)> {
        let plan = plan(picture, None).unwrap();
        plan.encoded.into_iter().map(|s| (s.rung.name, s.rung.bitrate / 1_000, s.halved)).collect()
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
        for (width, height) in [(8, 8), (5000, 100), (100, 16_384), (0, 0)] {
            let error = plan(picture(width, height, 1.0), None).unwrap_err();
            assert!(matches!(error, MediaError::PictureSize { .. }));
        }
    }

    #[test]
    fn a_ladder_by_the_source() {
        let of = |width, height, frame_rate| rates(Picture { width, height, aspect: 1.0, frame_rate });
        let rung = |name: &str, kbps, halved| (name.to_owned(), kbps, halved);
        let lower = |halved| [rung("480p", 1_400, halved), rung("360p", 800, halved)];
        let hd = [rung("1080p", 4_500, false), rung("720p", 2_800, false)];
        assert_eq!(of(1920, 1080, 30.0), [&hd[..], &lower(false)].concat());
        assert_eq!(of(1080, 1920, 30.0), [&hd[..], &lower(false)].concat());
        assert_eq!(of(1920, 1072, 30.0)[0].0, "1080p");
        let fast = [rung("1080p60", 6_000, false), rung("720p60", 3_900, false)];
        assert_eq!(of(1920, 1080, 59.94), [&fast[..], &lower(true)].concat());
        assert_eq!(of(3840, 2160, 30.0)[0], rung("1080p", 4_500, false));
        assert_eq!(of(640, 360, 30.0), [rung("360p", 800, false)]);
        assert_eq!(of(160, 90, 25.0), [rung("90p", 100, false)]);
        assert_eq!(of(1000, 600, 25.0)[..2], [rung("600p", 1_944, false), rung("480p", 1_263, false)]);
    }

    #[test]
    fn the_source_is_copied_if_it_is_the_top_rendition() {
        let copy = |width, height, aspect, ladder| {
            let copy = plan(picture(width, height, aspect), ladder).unwrap().copy?;
            Some((copy.sized.rung.name, copy.up_to / 1_000, copy.replaces))
        };
        let given = given();
        let hd = |name: &str, replaces| Some((name.to_owned(), 6_160, replaces));
        assert_eq!(copy(1280, 720, 1.0, None), hd("720p", 1));
        assert_eq!(copy(1280, 720, 1.0, Some(&given[..])), hd("720p", 1));
        assert_eq!(
            copy(1920, 1080, 1.0, Some(&given[..])),
            None,
            "the stream's own ladder ends at 720 lines"
        );
        assert_eq!(copy(720, 576, 64.0 / 45.0, None), None, "its pixels are not square");
        assert_eq!(copy(1281, 721, 1.0, None), None);
        assert_eq!(copy(160, 90, 1.0, Some(&given[..])), None, "the least rung is not the source");
        assert_eq!(
            copy(3840, 2160, 1.0, None),
            Some(("2160p".to_owned(), 39_600, 0)),
            "above what is encoded"
        );
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
