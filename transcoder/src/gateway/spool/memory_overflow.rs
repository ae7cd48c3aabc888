//! Media that the disk did not take: blocks in memory, in order, that follow what is on disk. It counts what it holds;
//! how much that may be is decided by the spool.

use std::collections::VecDeque;

use bytes::Bytes;

use super::budget::Share;

/// Whole FLV tags.
#[derive(Debug, Clone)]
pub struct OverflowBlock {
    /// Offset of the first byte.
    pub start: u64,
    /// The tags' bytes.
    pub bytes: Bytes,
}

impl OverflowBlock {
    /// Offset after the last byte.
    pub fn end(&self) -> u64 {
        self.start + self.bytes.len() as u64
    }
}

/// The blocks that the disk did not take, in order.
#[derive(Debug)]
pub struct MemoryOverflow {
    blocks: VecDeque<OverflowBlock>,
    share: Share,
}

impl MemoryOverflow {
    /// Nothing; counts as `share`.
    pub fn new(share: Share) -> Self {
        Self { blocks: VecDeque::new(), share }
    }

    /// Bytes.
    pub fn bytes(&self) -> u64 {
        self.share.held()
    }

    /// The oldest block.
    pub fn first(&self) -> Option<&OverflowBlock> {
        self.blocks.front()
    }

    /// Takes what follows the last block.
    pub fn push(&mut self, block: OverflowBlock) {
        self.share.set(self.bytes() + block.bytes.len() as u64);
        self.blocks.push_back(block);
    }

    /// Lets go of the oldest block.
    pub fn pop(&mut self) {
        if let Some(block) = self.blocks.pop_front() {
            self.share.set(self.bytes() - block.bytes.len() as u64);
        }
    }

    /// Lets go of blocks that end at or before `offset`.
    pub fn drop_before(&mut self, offset: u64) {
        while self.first().is_some_and(|block| block.end() <= offset) {
            self.pop();
        }
    }

    /// What is there from `offset` to the end of its block.
    pub fn from(&self, offset: u64) -> Option<Bytes> {
        let place = self.blocks.partition_point(|block| block.end() <= offset);
        let block = self.blocks.get(place).filter(|block| block.start <= offset)?;
        Some(block.bytes.slice((offset - block.start) as usize..))
    }
}
