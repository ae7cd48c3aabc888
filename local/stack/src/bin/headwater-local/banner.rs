//! What a person sees on the terminal.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "this is the program's output")]

use std::path::Path;

use headwater_local::Endpoints;

/// Everything a person needs to try it.
pub(crate) fn print(endpoints: &Endpoints, data: &Path, has_page: bool) {
    let Endpoints { edge, token, regions, demo } = endpoints;
    println!("\nHeadwater runs on this machine, both regions.\n");
    if has_page {
        println!("  Player page    {edge}/");
    }
    for region in regions {
        println!("  API            {}   ({})", region.api, region.name);
    }
    println!("  API token      {token}");
    for region in regions {
        println!("  RTMP server    {}   ({})", region.rtmp, region.name);
    }
    if let (Some(demo), Some(region)) = (demo, regions.first()) {
        println!("\n  Demo stream    {}", demo.stream_id);
        println!("  Stream key     {}", demo.stream_key);
        println!("  Playback URL   {}", demo.playback_url);
        if has_page {
            println!("  Watch it       {edge}/?stream={}", demo.stream_id);
        }
        println!(
            "\nPublish with `make demo` in another terminal, with OBS (server and stream key above), or with:\n"
        );
        println!(
            "  ffmpeg -re -f lavfi -i testsrc2=size=1280x720:rate=30 -f lavfi -i sine=frequency=440:sample_rate=48000 \\\n    \
             -c:v libx264 -preset veryfast -tune zerolatency -g 60 -b:v 2500k -pix_fmt yuv420p -c:a aac -b:a 128k \\\n    \
             -f flv {}/{}",
            region.rtmp, demo.stream_key
        );
    }
    println!("\nData and logs are in {}. Ctrl-C stops everything.", data.display());
}

/// Ctrl-C was pressed.
pub(crate) fn stopping() {
    println!("\nStopping (Ctrl-C again to kill) ...");
}

/// It cannot go on; every cause, without a backtrace.
pub(crate) fn failed(error: &anyhow::Error) {
    eprintln!("headwater-local: {error:#}");
}
