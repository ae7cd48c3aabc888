//! Written fakes for the deployment function: regions with HTTP APIs, and a bucket for the player page.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use crate::ids::Region;
use crate::ports::*;

#[derive(Debug, Default)]
struct Account {
    apis: BTreeMap<Region, Vec<ListedApi>>,
    stages: BTreeMap<(Region, String), BTreeMap<String, String>>,
}

/// HTTP APIs of an account in memory.
#[derive(Debug, Clone, Default)]
pub struct FakeApis(Arc<Mutex<Account>>);

impl FakeApis {
    /// Adds an API, with the tags of its stage.
    pub fn add(&self, region: &Region, api: ListedApi, stage_tags: BTreeMap<String, String>) {
        let mut account = self.account();
        account.stages.insert((region.clone(), api.id.clone()), stage_tags);
        account.apis.entry(region.clone()).or_default().push(api);
    }

    fn account(&self) -> MutexGuard<'_, Account> {
        self.0.lock().expect("no test panics while it holds this")
    }
}

impl ReadApis for FakeApis {
    async fn apis(&self, region: &Region) -> PortResult<Vec<ListedApi>> {
        Ok(self.account().apis.get(region).cloned().unwrap_or_default())
    }

    async fn stage_tags(&self, region: &Region, api: &str) -> PortResult<BTreeMap<String, String>> {
        let found = self.account().stages.get(&(region.clone(), api.to_owned())).cloned();
        found.ok_or_else(|| PortError {
            kind: FaultKind::Refused,
            action: "read the stage $default",
            source: format!("there is no API {api}").into(),
        })
    }
}

/// Buckets with site files in memory.
#[derive(Debug, Clone, Default)]
pub struct MemorySite(Arc<Mutex<Objects>>);

#[derive(Debug, Default)]
struct Objects {
    files: BTreeMap<(String, String), SiteFile>,
    order: Vec<String>,
    failure: Option<String>,
    late: Vec<String>,
}

/// Keys in one answer to a listing: few, so that there is more than one.
const PAGE: usize = 3;

impl MemorySite {
    /// Bucket, key and file of everything that is there.
    pub fn files(&self) -> BTreeMap<(String, String), SiteFile> {
        self.objects().files.clone()
    }

    /// Keys in the order in which they were put.
    pub fn order(&self) -> Vec<String> {
        self.objects().order.clone()
    }

    /// Refuses everything for this reason until it is `None` again.
    pub fn fail(&self, reason: Option<&str>) {
        self.objects().failure = reason.map(str::to_owned);
    }

    /// Has a file appear while others are deleted: a put that an earlier request had under way.
    pub fn put_late(&self, key: &str) {
        self.objects().late.push(key.to_owned());
    }

    fn objects(&self) -> MutexGuard<'_, Objects> {
        self.0.lock().expect("no test panics while it holds this")
    }
}

impl Objects {
    fn check(&self, action: &'static str) -> PortResult<()> {
        match &self.failure {
            Some(reason) => {
                Err(PortError { kind: FaultKind::Refused, action, source: reason.clone().into() })
            }
            None => Ok(()),
        }
    }
}

impl WriteSite for MemorySite {
    async fn put_file(&self, bucket: &str, key: &str, file: SiteFile) -> PortResult<()> {
        let mut objects = self.objects();
        objects.check("store a file of the player page")?;
        objects.order.push(key.to_owned());
        objects.files.insert((bucket.to_owned(), key.to_owned()), file);
        Ok(())
    }

    async fn delete_file(&self, bucket: &str, key: &str) -> PortResult<()> {
        let mut objects = self.objects();
        objects.check("delete a file of the player page")?;
        objects.files.remove(&(bucket.to_owned(), key.to_owned()));
        if let Some(late) = objects.late.pop() {
            let file = SiteFile { body: bytes::Bytes::new(), content_type: "", cache_control: "" };
            objects.files.insert((bucket.to_owned(), late), file);
        }
        Ok(())
    }

    async fn some_files(&self, bucket: &str, prefix: &str) -> PortResult<Vec<String>> {
        let objects = self.objects();
        objects.check("list the player page's files")?;
        let keys = objects.files.keys().filter(|(at, key)| at == bucket && key.starts_with(prefix));
        Ok(keys.map(|(_, key)| key.clone()).take(PAGE).collect())
    }
}
