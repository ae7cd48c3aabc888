//! A DynamoDB global table: two replicas, conditions checked on the local one alone, the last writer of an item wins.
//!
//! Keys are those of the real schema, so two writes meet in one item here exactly if they do in production.

use std::collections::BTreeMap;

use headwater_aws::schema::{Key, LISTING};
use headwater_domain::control::{ControlRecord, End};
use headwater_domain::heartbeat::Heartbeat;
use headwater_domain::key::KeyRecord;
use headwater_domain::stream::StreamDocument;
use headwater_domain::timeline::Entry;
use headwater_domain::{StreamId, Timestamp};

use super::executor::{self, NETWORK};
use super::simulation::{self, Side, violated};
use super::{check, rng};

/// Partition and sort key.
pub type ItemKey = (String, String);

/// What is in an item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Item {
    Document(Box<StreamDocument>),
    Listed,
    StreamKey(Box<KeyRecord>),
    Revoked(Timestamp),
    ControlRecord(Box<ControlRecord>),
    Heartbeat(Box<Heartbeat>),
    Active(StreamId),
    Start(Timestamp),
    End(End),
    Entry(Box<Entry>),
    /// It was deleted.
    Nothing,
}

/// An item with what decides which write wins.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Stamped {
    at: (Timestamp, usize, Side),
    item: Item,
}

/// Both replicas.
#[derive(Debug, Default)]
pub struct Store {
    replicas: [BTreeMap<ItemKey, Stamped>; 2],
    /// Who has ever written an item.
    writers: BTreeMap<ItemKey, String>,
    /// Writes under way to the other replica.
    under_way: usize,
    /// Conditional writes that were done, of any kind.
    pub writes: usize,
}

impl Store {
    pub fn get(&self, side: Side, key: &ItemKey) -> Option<&Item> {
        let stamped = self.replicas[side as usize].get(key)?;
        Some(&stamped.item).filter(|item| **item != Item::Nothing)
    }

    /// A partition's items in the order of their sort keys.
    pub fn partition<'a>(
        &'a self,
        side: Side,
        partition: &'a str,
    ) -> impl DoubleEndedIterator<Item = (&'a str, &'a Item)> {
        let (from, to) = ((partition.to_owned(), String::new()), (format!("{partition}\0"), String::new()));
        let range = self.replicas[side as usize].range(from..to);
        let there = range.filter(|(_, stamped)| stamped.item != Item::Nothing);
        there.map(|((_, sort), stamped)| (sort.as_str(), &stamped.item))
    }

    /// Whether every write has reached both replicas.
    pub fn is_settled(&self) -> bool {
        self.under_way == 0
    }

    /// Whether both replicas hold the same.
    pub fn is_same(&self) -> bool {
        self.replicas[0] == self.replicas[1]
    }

    fn apply(&mut self, side: Side, key: &ItemKey, stamped: &Stamped) -> bool {
        let replica = &mut self.replicas[side as usize];
        let wins = replica.get(key).is_none_or(|there| there.at < stamped.at);
        if wins {
            replica.insert(key.clone(), stamped.clone());
        }
        wins
    }
}

/// Writes an item in one replica; the other one has it some time later.
pub fn write(side: Side, writer: &str, key: &Key<'_>, item: Item) {
    let key = key.encode();
    let count = simulation::with(|sim| sim.store.writes);
    let stamped = Stamped { at: (side.clock(), count, side), item };
    let other = simulation::with(|sim| {
        let owner = sim.store.writers.entry(key.clone()).or_insert_with(|| writer.to_owned());
        // A place in the listing is nobody's: it says nothing, and both regions may put it there or take it out.
        let other = (owner != writer && key.0 != LISTING).then(|| owner.clone());
        sim.store.writes += 1;
        // In its own replica the newest write is the newest, whatever the clock does.
        sim.store.replicas[side as usize].insert(key.clone(), stamped.clone());
        sim.store.under_way += 1;
        other
    });
    if let Some(other) = other {
        violated(|| format!("two writers of one item: {other} and {writer} wrote {key:?}"));
    }
    check::written(side, &stamped.item);
    executor::spawn(NETWORK, async move {
        let (least, most) = simulation::with(|sim| sim.lag);
        executor::sleep(rng::between(least, most + 1)).await;
        while simulation::with(|sim| sim.is_cut() || sim.region(side.peer()).table_down) {
            executor::sleep(rng::between(100, 2_000)).await;
        }
        let applied = simulation::with(|sim| {
            sim.store.under_way -= 1;
            sim.store.apply(side.peer(), &key, &stamped)
        });
        if applied {
            check::replicated(side.peer(), &stamped.item);
        }
    });
}
