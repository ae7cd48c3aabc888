//! Reads one run of a spool from a place on, and follows it as it grows.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::watch;
use tokio::task::spawn_blocking;

use super::chunks::Extent;
use super::{Spool, SpoolPiece};

/// Bytes read from disk at once: enough to make the hand-over to a blocking thread cheap, and all that a reader which
/// is slow to take them makes us hold.
const READ_BYTES: u64 = 256 * 1024;

/// How a reader came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// It has all of its run.
    Complete,
    /// What it wanted next was dropped: it has to ask again, and will be told how much it lost.
    Dropped,
}

/// What comes next.
#[derive(Debug)]
pub enum ReaderNext {
    /// Bytes.
    Bytes(Bytes),
    /// Nothing more.
    End(End),
}

/// Reads one run of a spool and follows it.
#[derive(Debug)]
pub struct Reader {
    spool: Arc<Spool>,
    run: u32,
    position: u64,
    changed: watch::Receiver<()>,
    open: Option<(u64, Arc<File>)>,
}

impl Reader {
    /// Reads `run` from `position`.
    pub fn new(spool: Arc<Spool>, run: u32, position: u64) -> Self {
        let changed = spool.watch();
        Self { spool, run, position, changed, open: None }
    }

    /// The next bytes; waits for them if need be. Cancel-safe.
    pub async fn next(&mut self) -> io::Result<ReaderNext> {
        loop {
            self.changed.borrow_and_update();
            match self.spool.read(self.run, self.position) {
                SpoolPiece::Memory(bytes) => return Ok(self.advance(bytes)),
                SpoolPiece::Disk(extent) => {
                    return match self.read_file(&extent).await {
                        Ok(bytes) => Ok(self.advance(bytes)),
                        Err(error) if error.kind() == io::ErrorKind::NotFound => {
                            Ok(ReaderNext::End(End::Dropped))
                        }
                        Err(error) => Err(error),
                    };
                }
                SpoolPiece::Over => return Ok(ReaderNext::End(End::Complete)),
                SpoolPiece::Dropped => return Ok(ReaderNext::End(End::Dropped)),
                SpoolPiece::Wait => {
                    if self.changed.changed().await.is_err() {
                        return Ok(ReaderNext::End(End::Dropped));
                    }
                }
            }
        }
    }

    fn advance(&mut self, bytes: Bytes) -> ReaderNext {
        self.position += bytes.len() as u64;
        ReaderNext::Bytes(bytes)
    }

    async fn read_file(&mut self, extent: &Extent) -> io::Result<Bytes> {
        let open = self.open.take().filter(|(start, _)| *start == extent.start).map(|(_, file)| file);
        let (path, from) = (extent.path.clone(), self.position - extent.start);
        let length = (extent.end - self.position).min(READ_BYTES) as usize;
        let read = move || {
            let file = open.map_or_else(|| File::open(path).map(Arc::new), Ok)?;
            let mut bytes = vec![0; length];
            file.read_exact_at(&mut bytes, from)?;
            Ok::<_, io::Error>((file, Bytes::from(bytes)))
        };
        let (file, bytes) = spawn_blocking(read).await.map_err(io::Error::other)??;
        self.open = Some((extent.start, file));
        Ok(bytes)
    }
}
