//! Inputs in files: seeds that look like the real thing, and those that once broke something.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// The inputs of a target, in the order of their names.
pub(crate) fn read(folder: &Path) -> io::Result<Vec<Vec<u8>>> {
    let mut paths = fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>()?;
    paths.sort();
    paths.into_iter().map(fs::read).collect()
}

/// Writes an input down; its name says of which target, and is the same for the same input.
pub(crate) fn keep(folder: &Path, target: &str, input: &[u8]) -> io::Result<PathBuf> {
    // FNV-1a: names need no more.
    let hash = input.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3)
    });
    fs::create_dir_all(folder)?;
    let path = folder.join(format!("{target}-{hash:016x}"));
    fs::write(&path, input)?;
    Ok(path)
}
