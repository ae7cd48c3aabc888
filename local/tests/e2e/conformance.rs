//! What viewers got, held against the rules for HLS streams by a judge that shares no code with what made it.

use headwater_conformance::{Options, Report, check};
use url::Url;

use super::support::Platform;

impl Platform {
    /// Looks once at what a playback URL gives now.
    pub(crate) async fn conforms(&self, playback: &str) {
        let report = self.judge(playback, &Options::default()).await;
        assert!(report.passed(), "{report}\n{}", self.logs());
    }

    /// The same for the URL of a finished recording.
    pub(crate) async fn conforms_as_recording(&self, url: &str) {
        let report = self.judge(url, &Options { vod: true, ..Options::default() }).await;
        assert!(report.passed(), "{report}\n{}", self.logs());
    }

    /// Reloads for some seconds, so that the rules over reloads are looked at too.
    pub(crate) async fn conforms_for(&self, playback: &str, seconds: u64) {
        let watch = std::time::Duration::from_secs(seconds);
        let report = self.judge(playback, &Options { watch, ..Options::default() }).await;
        assert!(report.passed(), "{report}\n{}", self.logs());
        let reloads = report.with(headwater_conformance::Outcome::Pass);
        assert!(reloads.contains(&"published-unchanged"), "it was watched");
    }

    async fn judge(&self, url: &str, options: &Options) -> Report {
        let url = Url::parse(&self.edge(url)).unwrap();
        check(&url, options).await.unwrap_or_else(|error| panic!("{error:?}\n{}", self.logs()))
    }
}
