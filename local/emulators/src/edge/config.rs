//! What the edge is configured with: a distribution's origins and behaviours. Data only.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// The distribution and the cache nodes that serve it.
#[derive(Debug, Clone)]
pub struct EdgeConfig {
    /// Folder for configuration, caches and logs.
    pub folder: PathBuf,
    /// Port of each cache node; 0 for any free one. Nodes share nothing.
    pub nodes: Vec<u16>,
    /// What is served.
    pub distribution: Distribution,
}

/// Where paths lead.
#[derive(Debug, Clone, Default)]
pub struct Distribution {
    /// Origins by name (`[a-z0-9-]`).
    pub origins: BTreeMap<String, Origin>,
    /// Path rules; the first that matches counts, as with CloudFront.
    pub behaviors: Vec<Behavior>,
    /// Folder for everything that no rule matches (the player page).
    pub static_root: Option<PathBuf>,
}

/// One origin.
#[derive(Debug, Clone)]
pub struct Origin {
    /// Where it listens.
    pub addr: SocketAddr,
    /// Put in front of every path (CloudFront's "origin path"), `/bucket` for example.
    pub path: String,
    /// Headers only the edge sends: secrets, `try: 1`. Viewers cannot set them.
    pub headers: Vec<(String, String)>,
    /// Limit for a connection; CloudFront's least is 1 s.
    pub connect_timeout: Duration,
    /// Limit for each wait for bytes of an answer.
    pub response_timeout: Duration,
}

impl Origin {
    /// An origin with a connection timeout of 2 s and a response timeout of 3 s.
    pub fn new(addr: SocketAddr) -> Self {
        Self {
            addr,
            path: String::new(),
            headers: Vec::new(),
            connect_timeout: Duration::from_secs(2),
            response_timeout: Duration::from_secs(3),
        }
    }

    /// The same with a path prefix.
    pub fn path(mut self, path: impl Into<String>) -> Self {
        self.path = path.into();
        self
    }

    /// The same with one more header.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// The same with another response timeout.
    pub fn response_timeout(mut self, timeout: Duration) -> Self {
        self.response_timeout = timeout;
        self
    }
}

/// What happens to the paths of one pattern; they are compared as CloudFront does, without dots and `%` but with every `/`.
#[derive(Debug, Clone)]
pub struct Behavior {
    /// `/live/*`, `/us-east-1/media/*`; `*` is any text, `?` any one character.
    pub pattern: String,
    /// Name of the first origin.
    pub primary: String,
    /// Name of the second, if this is an origin group.
    pub secondary: Option<String>,
    /// Statuses of the first that make the second answer. A failed or timed-out connection always does.
    pub failover: Vec<u16>,
    /// Cached or passed through.
    pub mode: Mode,
    /// Whether requests that wait for an equal one get its answer at once, instead of when nginx looks again (every
    /// 500 ms). Answers are then held in memory.
    pub prompt: bool,
    /// Headers every answer gets, in place of the origin's (CloudFront's response headers policy).
    pub response_headers: Vec<(String, String)>,
    /// Headers that answers to OPTIONS get (what a response headers policy says to preflights).
    pub preflight_headers: Vec<(String, String)>,
    /// Viewers' headers that reach the origins, and are no part of the cache key (CloudFront's origin request policy).
    pub forwarded_headers: Vec<String>,
    /// Headers of origins that viewers do not see.
    pub hidden_headers: Vec<String>,
}

/// How a behaviour treats requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mode {
    /// GET, HEAD and OPTIONS; the first two are cached as the origins' Cache-Control says and not at all without one. Of
    /// viewers' headers only the forwarded ones reach the origins, and of the query only what is named here, which is also the cache key.
    Cached {
        /// Query parameters that count.
        query_keys: Vec<String>,
        /// How long an error is remembered, whatever its headers say (error caching minimum TTL); whole seconds.
        error_ttl: Duration,
    },
    /// All methods, headers and queries, nothing cached. Only a request that was not sent, or a GET or HEAD, goes to the
    /// second origin.
    PassThrough,
}

impl Behavior {
    /// An origin group that caches; errors are remembered for a second.
    pub fn cached(pattern: &str, primary: &str, secondary: Option<&str>, failover: &[u16]) -> Self {
        Self {
            pattern: pattern.to_owned(),
            primary: primary.to_owned(),
            secondary: secondary.map(str::to_owned),
            failover: failover.to_vec(),
            mode: Mode::Cached { query_keys: Vec::new(), error_ttl: Duration::from_secs(1) },
            prompt: false,
            response_headers: Vec::new(),
            preflight_headers: Vec::new(),
            forwarded_headers: Vec::new(),
            hidden_headers: Vec::new(),
        }
    }

    /// An uncached behaviour for all methods.
    pub fn pass_through(pattern: &str, primary: &str, secondary: Option<&str>) -> Self {
        Self { mode: Mode::PassThrough, ..Self::cached(pattern, primary, secondary, &[]) }
    }

    /// The same, for answers that viewers wait for.
    pub fn promptly(self) -> Self {
        Self { prompt: true, ..self }
    }

    /// The same, with query parameters that count.
    pub fn query_keys(mut self, keys: &[&str]) -> Self {
        if let Mode::Cached { query_keys, .. } = &mut self.mode {
            *query_keys = keys.iter().map(|&key| key.to_owned()).collect();
        }
        self
    }

    /// The same, with a response header.
    pub fn response_header(mut self, name: &str, value: &str) -> Self {
        self.response_headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The same, with a header on answers to OPTIONS.
    pub fn preflight_header(mut self, name: &str, value: &str) -> Self {
        self.preflight_headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The same, with viewers' headers that reach the origins.
    pub fn forward(mut self, names: &[&str]) -> Self {
        self.forwarded_headers.extend(names.iter().map(|&name| name.to_owned()));
        self
    }

    /// The same, with an origin header that viewers do not see.
    pub fn hide(mut self, name: &str) -> Self {
        self.hidden_headers.push(name.to_owned());
        self
    }
}
