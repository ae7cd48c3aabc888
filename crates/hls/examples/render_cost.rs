//! What a 30-segment window costs to validate and render (budget: 50 µs in release).
//! `cargo run --release -p headwater-hls --example render_cost`
#![allow(clippy::print_stdout)] // a measurement prints its figure

use std::error::Error;
use std::hint::black_box;
use std::time::Instant;

use headwater_hls::{MediaDuration, MediaPlaylist, PlaylistType, Segment, TargetDuration, WallClock, Window};

const ROUNDS: u32 = 20_000;

fn main() -> Result<(), Box<dyn Error>> {
    let base = "/us-east-1/media/0123456789ab-0123456789abc/7.us-east-1.k3jf9q2m/720p";
    let make = |number: u64| -> Result<Segment, Box<dyn Error>> {
        Ok(Segment::new(format!("{base}/{number}.m4s").parse()?, MediaDuration::new(180_000, 90_000)?)
            .with_map(format!("{base}/init-1.mp4").parse()?)
            .at(WallClock::from_unix_ms(1_795_255_200_000 + 2_000 * number)?)
            .after_break(number.is_multiple_of(10)))
    };
    let mut bytes = 0;
    let mut rendering = std::time::Duration::ZERO;
    let started = Instant::now();
    for round in 0..ROUNDS {
        let window = Window {
            target_duration: TargetDuration::from_seconds(2)?,
            media_sequence: u64::from(round),
            discontinuity_sequence: 0,
            playlist_type: PlaylistType::Live,
            ended: false,
            independent_segments: true,
            segments: (0..30).map(|n| make(n + u64::from(round))).collect::<Result<_, _>>()?,
            low_latency: None,
        };
        let built = Instant::now();
        bytes = black_box(MediaPlaylist::new(black_box(window))?.render()).len();
        rendering += built.elapsed();
    }
    println!(
        "30 segments, {bytes} bytes: check and render {:?}, with building the window {:?}",
        rendering / ROUNDS,
        started.elapsed() / ROUNDS
    );
    Ok(())
}
