//! Our own binaries, as cargo builds them.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};

/// The functions' binaries; each is one Lambda function of the same name.
pub(super) const FUNCTIONS: [&str; 5] = ["api", "authorizer", "hooks", "playlist", "lifecycle"];
/// The media container's binary.
const TRANSCODER: &str = "transcoder";

/// The folder that holds them.
#[derive(Debug, Clone)]
pub struct Binaries(PathBuf);

impl Binaries {
    /// Those built together with the running program: the target folder that it was started from.
    pub fn beside_me() -> anyhow::Result<Self> {
        let me = std::env::current_exe().context("cannot tell where this program is")?;
        let folder = me.parent().context("a program is in a folder")?;
        // Tests and examples are one folder further down.
        let inner = folder.ends_with("deps") || folder.ends_with("examples");
        let folder = if inner { folder.parent().unwrap_or(folder) } else { folder };
        let binaries = Self(folder.to_owned());
        for name in FUNCTIONS.iter().copied().chain([TRANSCODER]) {
            let path = binaries.path(name);
            ensure!(
                path.exists(),
                "{} is not built; run: cargo build --locked --workspace --bins",
                path.display()
            );
        }
        Ok(binaries)
    }

    /// One of [`FUNCTIONS`].
    pub fn function(&self, name: &str) -> PathBuf {
        self.path(name)
    }

    /// The media container's binary.
    pub fn transcoder(&self) -> PathBuf {
        self.path(TRANSCODER)
    }

    fn path(&self, name: &str) -> PathBuf {
        Path::new(&self.0).join(name)
    }
}
