//! What viewers see and hear of a broadcast, found by the ffmpeg command alone.

use std::process::Command;

use headwater_domain::timeline::{Entry, TrackKind};

use super::clip::BITS;

/// Pictures are looked at in this size.
const WIDTH: usize = 160;
const HEIGHT: usize = 90;
/// Samples a second at which sound is looked at, and of a window of it.
const RATE: usize = 48_000;
const WINDOW: usize = RATE / 100;
/// Amplitude of a window with the tone: its mean square is 0.005.
const AUDIBLE: f32 = 0.001;

/// A picture that is shown.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Shown {
    /// The number that it carries; none if its lines disagree.
    pub number: Option<u16>,
    /// Seconds of the broadcast.
    pub at: f64,
}

/// What came of a broadcast.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// Each rendition with pictures: name, size, what is shown.
    pub renditions: Vec<(String, (u32, u32), Vec<Shown>)>,
    /// Seconds in which the tone is heard.
    pub heard: f64,
    /// Seconds of sound in all.
    pub sounding: f64,
    /// When beeps begin, in seconds of the broadcast.
    pub beeps: Vec<f64>,
    /// What decoders complained of.
    pub complaints: Vec<String>,
    /// Channels of the sound.
    pub channels: u32,
}

impl Seen {
    /// Distinct numbers in the rendition that shows the fewest, in order.
    pub fn numbers(&self) -> Vec<u16> {
        let of = |shown: &[Shown]| {
            let mut numbers: Vec<u16> = shown.iter().filter_map(|one| one.number).collect();
            numbers.dedup();
            numbers
        };
        self.renditions.iter().map(|(.., shown)| of(shown)).min_by_key(Vec::len).unwrap_or_default()
    }

    /// Milliseconds by which the sound comes late: the median over the beeps that have their picture; `rate` pictures a
    /// second.
    pub fn offset(&self, rate: f64) -> Option<f64> {
        let (.., shown) = self.renditions.first()?;
        let on_the_second = |number: u16| (f64::from(number) / rate).fract() < 1e-9;
        let mut offsets: Vec<f64> = shown
            .iter()
            .filter(|one| one.number.is_some_and(on_the_second))
            .filter_map(|one| {
                let apart = self.beeps.iter().map(|beep| (beep - one.at) * 1_000.0);
                apart.min_by(|a, b| a.abs().total_cmp(&b.abs())).filter(|apart| apart.abs() < 500.0)
            })
            .collect();
        offsets.sort_by(f64::total_cmp);
        offsets.get(offsets.len() / 2).copied()
    }
}

/// Looks at everything that was committed; `object` reads what is stored.
pub fn look(entries: &[Entry], object: impl Fn(&str) -> Vec<u8>) -> Seen {
    let mut seen = Seen::default();
    let mut names: Vec<&str> = Vec::new();
    for one in entries.iter().flat_map(|entry| &entry.renditions) {
        if !names.contains(&one.name.as_str()) {
            names.push(&one.name);
        }
    }
    for name in names {
        let (mut shown, mut size) = (Vec::new(), None);
        for (kind, file) in stretches(entries, name, &object) {
            match kind {
                TrackKind::Video { width, height, .. } => {
                    size = size.or(Some((width, height)));
                    shown.extend(pictures(&file, &mut seen.complaints));
                }
                TrackKind::Audio { channels } => {
                    seen.channels = channels;
                    listen(&file, &mut seen);
                }
            }
        }
        if let Some(size) = size {
            seen.renditions.push((name.to_owned(), size, shown));
        }
    }
    seen
}

/// One file for each stretch of a rendition without a break.
fn stretches(entries: &[Entry], name: &str, object: impl Fn(&str) -> Vec<u8>) -> Vec<(TrackKind, Vec<u8>)> {
    let mut files: Vec<(TrackKind, Vec<u8>)> = Vec::new();
    let mut last: Option<(u64, u64, String)> = None;
    for entry in entries.iter().filter(|entry| !entry.gap) {
        let Some(one) = entry.renditions.iter().find(|one| one.name == name) else { continue };
        let here = (entry.number.0, entry.discontinuities, one.init.clone());
        let goes_on = last.as_ref().is_some_and(|(number, breaks, init)| {
            number + 1 == here.0 && *breaks == here.1 && *init == here.2
        });
        if !goes_on {
            files.push((one.kind.clone(), object(&one.init)));
        }
        let (_, file) = files.last_mut().expect("a stretch has begun");
        file.extend(object(&entry.media_path(name)));
        last = Some(here);
    }
    files
}

/// What a tool says of a file: standard output, and the lines of its log.
fn tool(name: &str, arguments: &str, file: &[u8]) -> (Vec<u8>, String) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("stretch.mp4");
    std::fs::write(&path, file).unwrap();
    let path = path.to_str().unwrap();
    let arguments = arguments.split_whitespace().map(|one| if one == "FILE" { path } else { one });
    let out = Command::new(name).args(arguments).output().unwrap();
    (out.stdout, String::from_utf8_lossy(&out.stderr).into_owned())
}

/// Numbers after `name` in a filter's log.
fn times<'a>(log: &'a str, filter: &'a str) -> impl Iterator<Item = f64> + 'a {
    log.lines().filter(move |line| line.contains(filter)).filter_map(|line| {
        let (_, rest) = line.split_once("pts_time:")?;
        rest.split_whitespace().next()?.parse().ok()
    })
}

fn complaints(log: &str, complaints: &mut Vec<String>) {
    const SIGNS: [&str; 7] = ["rror", "oncealing", "nvalid", "on-existing", "orrupt", "issing", "no frame"];
    complaints
        .extend(log.lines().filter(|line| SIGNS.iter().any(|sign| line.contains(sign))).map(str::to_owned));
}

fn pictures(file: &[u8], wrong: &mut Vec<String>) -> Vec<Shown> {
    let arguments = format!(
        "-hide_banner -nostats -copyts -flags +unaligned -i FILE -map 0:v -fps_mode passthrough -enc_time_base -1 \
         -vf showinfo,scale={WIDTH}:{HEIGHT}:flags=area,format=gray -f rawvideo -"
    );
    let (raw, log) = tool("ffmpeg", &arguments, file);
    complaints(&log, wrong);
    raw.chunks_exact(WIDTH * HEIGHT)
        .zip(times(&log, "showinfo"))
        .map(|(picture, at)| Shown { number: number(picture), at })
        .collect()
}

/// The number that a picture carries, if it carries the same one everywhere.
fn number(picture: &[u8]) -> Option<u16> {
    let column = WIDTH / BITS;
    let read = |line: usize| -> u16 {
        let row = &picture[line * WIDTH..][..WIDTH];
        (0..BITS).filter(|bit| row[bit * column + column / 2] > 125).map(|bit| 1 << bit).sum()
    };
    let lines = [HEIGHT / 8, HEIGHT * 3 / 8, HEIGHT * 5 / 8, HEIGHT * 7 / 8].map(read);
    lines.iter().all(|line| *line == lines[0]).then_some(lines[0])
}

fn listen(file: &[u8], seen: &mut Seen) {
    let arguments = format!(
        "-hide_banner -nostats -copyts -i FILE -map 0:a -af ashowinfo,aresample={RATE} -ac 1 -f f32le -"
    );
    let (raw, log) = tool("ffmpeg", &arguments, file);
    complaints(&log, &mut seen.complaints);
    let samples: Vec<f32> =
        raw.chunks_exact(4).map(|four| f32::from_le_bytes([four[0], four[1], four[2], four[3]])).collect();
    let Some(start) = times(&log, "ashowinfo").next() else { return };
    let loud = |window: &[f32]| window.iter().map(|s| s * s).sum::<f32>() / window.len() as f32 > AUDIBLE;
    let windows = samples.chunks_exact(WINDOW).filter(|window| loud(window)).count();
    seen.heard += windows as f64 / 100.0;
    seen.sounding += samples.len() as f64 / RATE as f64;
    let mut last = f64::NEG_INFINITY;
    for at in (0..samples.len().saturating_sub(WINDOW)).step_by(48) {
        let time = start + at as f64 / RATE as f64;
        if amplitude(&samples[at..at + WINDOW], 1_000.0) > 0.25 {
            if time - last > 0.5 {
                // Half of the window lies behind the onset when half of the amplitude is there.
                seen.beeps.push(time + WINDOW as f64 / 2.0 / RATE as f64);
            }
            last = time;
        }
    }
}

/// Of one frequency in a window.
fn amplitude(window: &[f32], frequency: f32) -> f32 {
    let (mut re, mut im) = (0.0, 0.0);
    for (n, sample) in window.iter().enumerate() {
        let (sin, cos) = (std::f32::consts::TAU * frequency * n as f32 / RATE as f32).sin_cos();
        re += sample * cos;
        im += sample * sin;
    }
    (re * re + im * im).sqrt() * 2.0 / window.len() as f32
}
