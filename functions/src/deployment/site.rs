//! `Custom::HeadwaterSite`: puts the player page, which is packed with this function, into the media bucket.
//!
//! | property | |
//! |---|---|
//! | `Bucket` | where to |
//! | `Prefix` | in front of every file's path; empty, or ends with `/` |
//!
//! Any other property, when it changes, makes CloudFormation ask again. The page refers to its files by relative URLs,
//! so it works under any prefix.

use std::path::{Path, PathBuf};

use bytes::Bytes;
use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use headwater_domain::ports::{PortError, SiteFile, WriteSite};
use thiserror::Error;

use super::properties::{Properties, PropertyError};

/// The resource's type in the template.
pub(super) const TYPE: &str = "Custom::HeadwaterSite";
/// Most files; the page has some twenty.
const MAX_FILES: usize = 500;
/// Most bytes of all files together; the page has one megabyte, and the function's memory is small.
const MAX_BYTES: u64 = 32 << 20;
/// Deepest folder below `site/`.
const MAX_DEPTH: usize = 8;
/// Listings of what is left, of a thousand files each; one page has some twenty.
const MAX_LISTINGS: usize = 50;
/// Files on their way at a time.
const AT_ONCE: usize = 8;
/// File names carry no hash of their content, so a new version must be asked for soon.
const CACHE_CONTROL: &str = "max-age=60";
/// What viewers open; it goes last, so that all it refers to is there.
const START_PAGE: &str = "index.html";

/// Why the page is not there.
#[derive(Debug, Error)]
pub(super) enum SiteError {
    #[error(
        "the deployment function's package has no site/ folder with files; build it again with the player page"
    )]
    NoFiles,
    #[error("the site/ folder of the deployment function's package is too large: more than {0}")]
    TooLarge(String),
    #[error("cannot read {} of the deployment function's package: {source}", .path.display())]
    Unreadable { path: PathBuf, source: std::io::Error },
    #[error("cannot {} ({key} in bucket {bucket}): {}", .source.action, .source.source)]
    Bucket { bucket: String, key: String, source: PortError },
}

/// Where the page goes.
#[derive(Debug)]
pub(super) struct SiteLocation {
    bucket: String,
    prefix: String,
}

impl SiteLocation {
    pub(super) fn read(properties: &Properties) -> Result<Self, PropertyError> {
        let bucket = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        let prefix = |text: &str| {
            (text.is_empty() || (text.ends_with('/') && !text.starts_with('/'))).then(|| text.to_owned())
        };
        Ok(Self {
            bucket: properties.parse("Bucket", "a bucket's name", bucket)?,
            prefix: properties.parse("Prefix", "empty, or end with / and not begin with it", prefix)?,
        })
    }

    fn key(&self, file: &Found) -> String {
        format!("{}{}", self.prefix, file.name)
    }

    fn failed(&self, key: String, source: PortError) -> SiteError {
        SiteError::Bucket { bucket: self.bucket.clone(), key, source }
    }
}

/// Changes only if the place does.
pub(super) fn physical_id(properties: &Properties) -> Option<String> {
    let location = SiteLocation::read(properties).ok()?;
    Some(format!("{}/{}", location.bucket, location.prefix))
}

/// A file of the page.
#[derive(Debug)]
pub(super) struct Found {
    /// Its path below the folder, with `/` between.
    name: String,
    path: PathBuf,
}

/// All files below `folder`, the start page last.
pub(super) fn list(folder: &Path) -> Result<Vec<Found>, SiteError> {
    let mut files = Vec::new();
    let mut bytes = 0;
    let mut folders = vec![(folder.to_owned(), String::new(), 0)];
    while let Some((path, prefix, depth)) = folders.pop() {
        let unreadable = |source| SiteError::Unreadable { path: path.clone(), source };
        let entries = match std::fs::read_dir(&path) {
            Err(error) if depth == 0 && error.kind() == std::io::ErrorKind::NotFound => break,
            entries => entries.map_err(unreadable)?,
        };
        for entry in entries {
            let entry = entry.map_err(unreadable)?;
            let meta = entry.metadata().map_err(unreadable)?;
            let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
            if meta.is_dir() {
                folders.push((entry.path(), format!("{name}/"), depth + 1));
            } else if meta.is_file() {
                bytes += meta.len();
                files.push(Found { name, path: entry.path() });
            }
            if files.len() > MAX_FILES || bytes > MAX_BYTES || depth + 1 > MAX_DEPTH {
                let limits = format!("{MAX_FILES} files, {MAX_BYTES} bytes or {MAX_DEPTH} folders deep");
                return Err(SiteError::TooLarge(limits));
            }
        }
    }
    if files.is_empty() {
        return Err(SiteError::NoFiles);
    }
    files.sort_by_key(|file| (file.name == START_PAGE, file.name.clone()));
    Ok(files)
}

/// Stores all files.
pub(super) async fn put(
    site: &impl WriteSite,
    location: &SiteLocation,
    files: &[Found],
) -> Result<(), SiteError> {
    let (rest, start) = files.split_at(files.partition_point(|file| file.name != START_PAGE));
    for part in [rest, start] {
        few_at_once(part.iter().map(|file| put_one(site, location, file)).collect()).await?;
    }
    Ok(())
}

async fn put_one(site: &impl WriteSite, location: &SiteLocation, file: &Found) -> Result<(), SiteError> {
    let body = tokio::fs::read(&file.path)
        .await
        .map_err(|source| SiteError::Unreadable { path: file.path.clone(), source })?;
    let content_type = content_type(&file.name);
    let object = SiteFile { body: Bytes::from(body), content_type, cache_control: CACHE_CONTROL };
    let key = location.key(file);
    site.put_file(&location.bucket, &key, object).await.map_err(|source| location.failed(key, source))
}

/// Deletes everything under the prefix, also what earlier versions or a put that comes late have left: a bucket that is to
/// be deleted must be empty. Without a prefix of its own the page's are the files that this package has.
pub(super) async fn remove(
    site: &impl WriteSite,
    location: &SiteLocation,
    folder: &Path,
) -> Result<(), SiteError> {
    if location.prefix.is_empty() {
        return remove_all(site, location, list(folder)?.iter().map(|file| location.key(file)).collect())
            .await;
    }
    for _ in 0..MAX_LISTINGS {
        let listed = site.some_files(&location.bucket, &location.prefix).await;
        let keys = listed.map_err(|source| location.failed(location.prefix.clone(), source))?;
        if keys.is_empty() {
            return Ok(());
        }
        remove_all(site, location, keys).await?;
    }
    Err(SiteError::TooLarge(format!("{MAX_LISTINGS} listings of {}", location.prefix)))
}

async fn remove_all(
    site: &impl WriteSite,
    location: &SiteLocation,
    keys: Vec<String>,
) -> Result<(), SiteError> {
    few_at_once(keys.into_iter().map(|key| remove_one(site, location, key)).collect()).await
}

async fn remove_one(site: &impl WriteSite, location: &SiteLocation, key: String) -> Result<(), SiteError> {
    site.delete_file(&location.bucket, &key).await.map_err(|source| location.failed(key, source))
}

async fn few_at_once(work: Vec<impl Future<Output = Result<(), SiteError>>>) -> Result<(), SiteError> {
    stream::iter(work).buffer_unordered(AT_ONCE).try_collect().await
}

/// As the local edge serves them.
fn content_type(name: &str) -> &'static str {
    match name.rsplit_once('.').map(|(_, extension)| extension) {
        Some("html") => "text/html; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("js" | "mjs") => "text/javascript; charset=utf-8",
        Some("json" | "map") => "application/json",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        Some("jpg" | "jpeg") => "image/jpeg",
        Some("ico") => "image/x-icon",
        Some("woff2") => "font/woff2",
        Some("txt") => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}
