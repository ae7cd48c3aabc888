//! Telling the gateway up to where its media is safe. Only the newest word counts, and one that is lost is made up for by
//! the next.

/// What the gateway is to be told.
#[derive(Debug, Clone, Default)]
pub(crate) struct Confirm {
    newest: Option<u64>,
    is_under_way: bool,
}

impl Confirm {
    /// Media is safe up to `cursor`.
    pub(crate) fn is_safe(&mut self, cursor: u64) {
        self.newest = Some(cursor);
    }

    /// What is to be told now, if anything is.
    pub(crate) fn next(&mut self) -> Option<u64> {
        let cursor = self.newest.take_if(|_| !self.is_under_way)?;
        self.is_under_way = true;
        Some(cursor)
    }

    /// The word under way was taken, or is lost.
    pub(crate) fn told(&mut self) {
        self.is_under_way = false;
    }

    /// Whether there is nothing to tell.
    pub(crate) fn is_done(&self) -> bool {
        self.newest.is_none() && !self.is_under_way
    }
}
