//! `headwater-check`: is this stream what clients may rely on? Ends with 1 if a rule is broken, or has nothing to look at
//! although it is required, and with 2 if it cannot tell.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use clap::Parser;
use headwater_conformance::{Options, Profile, Recording, decode, judge, record, rule_named};
use url::Url;

/// Judges an HLS stream by Apple's authoring specification, RFC 8216bis and CMAF.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    /// Playback URL (the multivariant playlist), or a folder that --record has written.
    source: String,
    /// Watch it for so many seconds: rules over reloads need it.
    #[arg(long, default_value_t = 0)]
    watch: u64,
    /// How many of each rendition's newest segments are fetched at first.
    #[arg(long, default_value_t = 30)]
    segments: usize,
    /// The URL is that of a finished recording, which must say so.
    #[arg(long)]
    vod: bool,
    /// What the stream is meant to be (live, watched, low-latency, recording): rules about it that find nothing to look at
    /// are broken.
    #[arg(long)]
    profile: Option<Profile>,
    /// A rule that must find something to look at; may be given more than once.
    #[arg(long = "require", value_name = "RULE", value_parser = rule_named)]
    required: Vec<&'static str>,
    /// Report as JSON.
    #[arg(long)]
    json: bool,
    /// Keep what was seen in this folder.
    #[arg(long)]
    record: Option<PathBuf>,
    /// Decode it with ffmpeg, too.
    #[arg(long)]
    decode: bool,
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(&Arguments::parse()).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "headwater-check: {error:#}");
            ExitCode::from(2)
        }
    }
}

async fn run(arguments: &Arguments) -> anyhow::Result<bool> {
    let recording = if arguments.source.contains("://") {
        let url = Url::parse(&arguments.source).context("not a URL")?;
        let (watch, segments) = (Duration::from_secs(arguments.watch), arguments.segments);
        record(&url, &Options { watch, segments, vod: arguments.vod, ..Options::default() }).await?
    } else {
        Recording::read(arguments.source.as_ref())?
    };
    if let Some(folder) = &arguments.record {
        recording.write(folder)?;
    }
    let required = arguments.profile.map(Profile::rules).unwrap_or_default();
    let report = judge(&recording).require(&[required, arguments.required.clone()].concat());
    let complaints = if arguments.decode { decode(&recording).await.context("ffmpeg")? } else { Vec::new() };
    let mut out = std::io::stdout().lock();
    if arguments.json {
        serde_json::to_writer_pretty(&mut out, &report)?;
        writeln!(out)?;
    } else {
        writeln!(out, "{report}")?;
    }
    for (rendition, said) in &complaints {
        writeln!(std::io::stderr(), "{rendition} does not decode: {said}")?;
    }
    Ok(report.passed() && complaints.is_empty())
}
