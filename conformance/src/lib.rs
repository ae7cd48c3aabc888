//! Judges a produced HLS stream as a strict client would.
//!
//! A [`Recording`] is what was asked and answered: [`record`](record()) makes one over HTTP, and one can be kept in a folder.
//! [`judge`] reads it with this crate's own readers and holds it against [`RULES`]; each rule names the item of Apple's HLS
//! authoring specification, the section of RFC 8216bis or the clause of CMAF that it is from. Judging is pure: the same
//! recording always gets the same [`Report`], so a broken stream can be kept and become a test.
//!
//! This crate must not know how our streams are made: it depends on nothing of ours, and nothing that makes streams may
//! depend on it.

mod decode;
mod fetch;
mod h264;
mod mp4;
pub mod playlist;
mod presentation;
mod profile;
mod record;
mod recording;
mod report;
mod rules;

pub use decode::decode;
pub use fetch::FetchError;
pub use playlist::resolve_references;
pub use profile::{Profile, Tracks, UnknownName, rule_named};
pub use record::{Options, record};
pub use recording::{Ask, ByteRange, Exchange, Recording, RecordingError};
pub use report::{Evidence, Outcome, Report, RuleResult};
pub use rules::{RULES, Rule, judge};

/// Records what `url` serves and judges it.
pub async fn check(url: &url::Url, options: &Options) -> Result<Report, FetchError> {
    Ok(judge(&record(url, options).await?))
}
