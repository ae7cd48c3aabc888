//! A spool's bytes on disk: append-only files of whole FLV tags, named by the offset they begin at.
//!
//! Calls block. Writes go to the page cache and unlinks free at most one small file, so both are made on the caller's
//! thread; large reads may reach the disk, and are made by the reader on a thread for blocking work.

use std::collections::VecDeque;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// Bytes after which a new file is begun. Media is given back file by file, so this is also about what a session keeps
/// more than it must; smaller files would mean more unlinks.
const CHUNK_BYTES: u64 = 4 * 1024 * 1024;

/// Part of a chunk that may be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Extent {
    /// File.
    pub path: PathBuf,
    /// Offset of the file's first byte.
    pub start: u64,
    /// Offset after the file's last byte, as of now.
    pub end: u64,
}

/// One spool's files. The folder goes away with it.
#[derive(Debug)]
pub struct Chunks {
    folder: PathBuf,
    files: VecDeque<Extent>,
    open: Option<File>,
}

impl Chunks {
    /// An empty store in `folder`, which is made when it is needed: a disk that takes nothing now may do so later.
    pub fn new(folder: PathBuf) -> Self {
        Self { folder, files: VecDeque::new(), open: None }
    }

    /// Its folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Appends whole tags that begin at `offset`: all or nothing, so that what fails can be tried again.
    pub fn append(&mut self, offset: u64, tags: &[u8]) -> io::Result<()> {
        let goes_on = |last: &&mut Extent| last.end == offset && last.end - last.start < CHUNK_BYTES;
        let (file, extent) = match (&self.open, self.files.back_mut().filter(goes_on)) {
            (Some(file), Some(extent)) => (file, extent),
            _ => self.begin(offset)?,
        };
        // At its place, not at the file's end: a write that failed may have left a part there.
        file.write_all_at(tags, extent.end - extent.start)?;
        extent.end += tags.len() as u64;
        Ok(())
    }

    fn begin(&mut self, offset: u64) -> io::Result<(&File, &mut Extent)> {
        fs::create_dir_all(&self.folder)?;
        let path = self.folder.join(format!("{offset:020}.flv"));
        let file = File::create(&path)?;
        self.files.push_back(Extent { path, start: offset, end: offset });
        let last = self.files.len() - 1;
        Ok((self.open.insert(file), &mut self.files[last]))
    }

    /// Offset of the oldest byte on disk.
    pub fn first_offset(&self) -> Option<u64> {
        self.files.front().map(|file| file.start)
    }

    /// The file that `offset` is in.
    pub fn find(&self, offset: u64) -> Option<&Extent> {
        let place = self.files.partition_point(|file| file.end <= offset);
        self.files.get(place).filter(|file| file.start <= offset)
    }

    /// Fills `bytes` from `offset`; for small reads.
    pub fn read_at(&self, offset: u64, bytes: &mut [u8]) -> io::Result<()> {
        let extent = self.find(offset).ok_or(io::ErrorKind::NotFound)?;
        File::open(&extent.path)?.read_exact_at(bytes, offset - extent.start)
    }

    /// Deletes files that end at or before `offset`; whether there was one.
    pub fn drop_before(&mut self, offset: u64) -> bool {
        let before = self.files.len();
        while let Some(file) = self.files.front().filter(|file| file.end <= offset) {
            if let Err(error) = fs::remove_file(&file.path) {
                tracing::warn!(path = %file.path.display(), %error, "cannot delete a spool file");
            }
            self.files.pop_front();
        }
        if self.files.is_empty() {
            self.open = None;
        }
        self.files.len() < before
    }
}

impl Drop for Chunks {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.folder)
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::warn!(path = %self.folder.display(), %error, "cannot delete a spool folder");
        }
    }
}

/// Deletes what an earlier process left: its sessions are dead, so nobody can ask for their media.
pub fn clear_leftovers(spool_dir: &Path) -> io::Result<()> {
    fs::create_dir_all(spool_dir)?;
    for random_access in fs::read_dir(spool_dir)? {
        let random_access = random_access?;
        let ours = random_access
            .file_name()
            .to_str()
            .is_some_and(|name| name.parse::<headwater_domain::SessionId>().is_ok());
        if ours && random_access.file_type()?.is_dir() {
            fs::remove_dir_all(random_access.path())?;
        }
    }
    Ok(())
}
