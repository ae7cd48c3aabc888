//! What viewers got, held against the rules for HLS streams by a judge that shares no code with what made it. Each test says
//! what the stream is meant to be: a rule about it that finds nothing to look at is broken.

use headwater_conformance::{Options, Profile, Report, check};
use url::Url;

use super::support::Platform;

impl Platform {
    /// Looks once at what a playback URL gives now: pictures and sound.
    pub(crate) async fn conforms(&self, playback: &str) {
        self.conforms_as(playback, &Profile::Live.rules(), &Options::default()).await;
    }

    /// The same for the URL of a finished recording.
    pub(crate) async fn conforms_as_recording(&self, url: &str) {
        let options = Options { vod: true, ..Options::default() };
        self.conforms_as(url, &Profile::Recording.rules(), &options).await;
    }

    /// Reloads for some seconds, so that the rules over reloads are looked at too.
    pub(crate) async fn conforms_for(&self, playback: &str, seconds: u64, profile: Profile) {
        let watch = std::time::Duration::from_secs(seconds);
        let options = Options { watch, ..Options::default() };
        self.conforms_as(playback, &profile.rules(), &options).await;
    }

    /// No rule is broken, and these have something to look at.
    pub(crate) async fn conforms_as(&self, url: &str, required: &[&str], options: &Options) {
        let report = self.judge(url, options).await.require(required);
        assert!(report.passed(), "{report}\n{}", self.logs());
    }

    async fn judge(&self, url: &str, options: &Options) -> Report {
        let url = Url::parse(&self.edge(url)).unwrap();
        check(&url, options).await.unwrap_or_else(|error| panic!("{error:?}\n{}", self.logs()))
    }
}
