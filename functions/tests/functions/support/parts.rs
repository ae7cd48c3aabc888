//! What low latency adds to a test's deployment.

use headwater_domain::Lease;
use headwater_domain::ports::{Bucket, PutMedia, WriteTimeline};
use headwater_domain::testing::parts::closed_entry;
use headwater_domain::timeline::Entry;

use super::Harness;

impl Harness {
    /// Commits an entry as it is.
    pub async fn put(&self, entry: Entry) {
        self.table.commit(&entry).await.unwrap();
    }

    /// Commits whole segments made in parts.
    pub async fn put_closed(&self, lease: &Lease, numbers: std::ops::Range<u64>) {
        for number in numbers {
            self.put(self.as_ordered(closed_entry(lease, number)).await).await;
        }
    }

    /// Stores a part's object in this region's bucket.
    pub async fn store(&self, path: &str, body: &'static [u8]) {
        self.buckets.put_media(Bucket::Own, path, "video/mp4", body.into()).await.unwrap();
    }
}
