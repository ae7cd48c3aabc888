//! Notes exchanges while several renditions are watched at once.

use std::time::Duration;

use parking_lot::Mutex;
use url::Url;

use crate::fetch::{FetchError, Fetcher};
use crate::recording::{Ask, ByteRange, Exchange, Recording};

/// Bytes of all bodies of one recording; it is kept in memory.
const MAX_BYTES: usize = 1 << 30;

pub(super) struct Session {
    fetcher: Fetcher,
    noted: Mutex<(usize, Vec<Exchange>)>,
}

impl Session {
    pub(super) fn new() -> Result<Self, FetchError> {
        Ok(Self { fetcher: Fetcher::new()?, noted: Mutex::default() })
    }

    pub(super) fn elapsed(&self) -> Duration {
        self.fetcher.elapsed()
    }

    pub(super) async fn get(
        &self,
        ask: Ask,
        url: &Url,
        range: Option<ByteRange>,
    ) -> Result<Exchange, FetchError> {
        let exchange = self.fetcher.get(ask, url, range).await?;
        let mut noted = self.noted.lock();
        noted.0 += exchange.body.len();
        if noted.0 > MAX_BYTES {
            return Err(FetchError::TooLarge(MAX_BYTES));
        }
        noted.1.push(exchange.clone());
        Ok(exchange)
    }

    pub(super) fn into_recording(self, vod: bool) -> Recording {
        let (_, mut exchanges) = self.noted.into_inner();
        exchanges.sort_by_key(|one| one.at_ms);
        Recording { vod, exchanges }
    }
}
