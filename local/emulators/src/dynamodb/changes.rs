//! What this region has written and when, item by item: the last-writer-wins memory and the queue for the peer.
//! Must not know how the peer is reached.

use super::journal::{Journal, JournalEntry, Line};
use super::stamp::{Stamp, canonical};
use super::writes::Touched;
use crate::clock;
use parking_lot::{Mutex, MutexGuard};
use serde_json::Value;
use std::collections::{HashMap, VecDeque};
use std::io;
use std::path::Path;
use tokio::sync::watch;
use tokio::time::Instant;

/// Records kept for a peer that cannot be reached. At 100 writes a second this is almost three hours of partition;
/// beyond it writes are refused rather than silently not replicated.
pub(super) const MAX_PENDING: usize = 1_000_000;

/// One write on its way to the peer.
#[derive(Debug, Clone)]
pub(super) struct Change {
    pub(super) number: u64,
    pub(super) table: String,
    pub(super) key: Value,
    pub(super) stamp: Stamp,
    /// The whole item as written; `None` is a tombstone.
    pub(super) image: Option<Value>,
    pub(super) written: Instant,
}

/// Whether a change from the peer is news here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Freshness {
    Newer,
    Superseded,
}

/// The memory of one region.
#[derive(Debug)]
pub(super) struct Changes {
    region: String,
    state: Mutex<ChangesState>,
    pending: watch::Sender<usize>,
}

#[derive(Debug)]
struct ChangesState {
    journal: Journal,
    known: HashMap<(String, String), Stamp>,
    queue: VecDeque<Change>,
    next_number: u64,
    last_micros: u64,
}

impl Changes {
    /// Opens the journal. The entries returned were on their way when we last ended; each needs a [`resume`](Self::resume).
    pub(super) fn open(path: &Path, region: &str) -> io::Result<(Self, Vec<JournalEntry>)> {
        let (journal, recovered) = Journal::open(path)?;
        let all = || recovered.known.iter().chain(&recovered.unacknowledged);
        let known = all().map(|e| ((e.table.clone(), canonical(&e.key)), e.stamp.clone())).collect();
        let next_number = all().map(|entry| entry.number + 1).max().unwrap_or_default();
        let last_micros = all().map(|entry| entry.stamp.micros).max().unwrap_or_default();
        let state = ChangesState { journal, known, queue: VecDeque::new(), next_number, last_micros };
        let changes =
            Self { region: region.to_owned(), state: Mutex::new(state), pending: watch::Sender::new(0) };
        Ok((changes, recovered.unacknowledged))
    }

    /// Notes that `items` are about to be written. The caller holds their tables' locks until it commits or cancels.
    pub(super) fn begin(&self, items: Vec<Touched>) -> io::Result<Vec<JournalEntry>> {
        let mut state = self.state();
        if state.queue.len() >= MAX_PENDING {
            return Err(io::Error::other("too many writes wait for the peer region"));
        }
        let mut entries = Vec::with_capacity(items.len());
        for Touched { table, key } in items {
            state.last_micros = clock::unix_micros().max(state.last_micros + 1);
            let stamp = Stamp { micros: state.last_micros, region: self.region.clone() };
            let entry = JournalEntry { number: state.next_number, table, key, stamp };
            state.next_number += 1;
            state.journal.append(&Line::Intent(entry.clone()))?;
            entries.push(entry);
        }
        Ok(entries)
    }

    /// The write happened and left `image`.
    pub(super) fn commit(&self, entry: JournalEntry, image: Option<Value>) {
        let mut state = self.state();
        state.known.insert((entry.table.clone(), canonical(&entry.key)), entry.stamp.clone());
        self.push(&mut state, entry, image);
    }

    /// The write did not happen.
    pub(super) fn cancel(&self, entry: &JournalEntry) -> io::Result<()> {
        self.state().journal.append(&Line::Cancelled(entry.number))
    }

    /// Queues again what an earlier run could not deliver.
    pub(super) fn resume(&self, entry: JournalEntry, image: Option<Value>) {
        self.push(&mut self.state(), entry, image);
    }

    /// The oldest change the peer does not have.
    pub(super) fn head(&self) -> Option<Change> {
        self.state().queue.front().cloned()
    }

    /// The peer has the oldest change.
    pub(super) fn acknowledge(&self, number: u64) -> io::Result<()> {
        let mut state = self.state();
        if state.queue.front().is_some_and(|head| head.number == number) {
            state.queue.pop_front();
        }
        self.pending.send_replace(state.queue.len());
        state.journal.append(&Line::Acknowledged(number))
    }

    /// Whether `change`, which comes from the peer, is newer than what is known here.
    pub(super) fn judge(&self, change: &Change) -> Freshness {
        match self.state().known.get(&(change.table.clone(), canonical(&change.key))) {
            Some(there) if *there >= change.stamp => Freshness::Superseded,
            _ => Freshness::Newer,
        }
    }

    /// `change` from the peer was applied here.
    pub(super) fn applied(&self, change: &Change) -> io::Result<()> {
        let mut state = self.state();
        let (table, key, stamp) = (change.table.clone(), change.key.clone(), change.stamp.clone());
        state.known.insert((table.clone(), canonical(&key)), stamp.clone());
        let number = state.next_number;
        state.next_number += 1;
        state.journal.append(&Line::Known(JournalEntry { number, table, key, stamp }))
    }

    /// Follows the number of changes the peer does not have.
    pub(super) fn pending(&self) -> watch::Receiver<usize> {
        self.pending.subscribe()
    }

    fn push(&self, state: &mut ChangesState, entry: JournalEntry, image: Option<Value>) {
        let JournalEntry { number, table, key, stamp } = entry;
        state.queue.push_back(Change { number, table, key, stamp, image, written: Instant::now() });
        self.pending.send_replace(state.queue.len());
    }

    fn state(&self) -> MutexGuard<'_, ChangesState> {
        self.state.lock()
    }
}
