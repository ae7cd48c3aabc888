//! Where reading may begin: at the last place from which all that is wanted can be decoded.

use std::time::Duration;

use headwater_rtmp::codec::RandomAccess;

use super::{Index, Mark, Run, Start};

impl Index {
    /// Where a reader begins that has everything up to `after`; `None` if nothing newer is kept.
    pub fn locate(&self, after: u64) -> Option<Start> {
        let wanted = after.saturating_add(1).max(self.first.cursor);
        if wanted >= self.next.cursor {
            return None;
        }
        let run = self.runs.iter().rev().find(|run| run.first.cursor <= wanted)?;
        let oldest = if run.first.cursor > self.first.cursor { run.first } else { self.first };
        let known = if after == 0 { self.committed } else { after };
        let start = |run: &Run, mark: Mark, first: u64, decodable: bool| Start {
            run: run.clone(),
            mark,
            cursor: if run.has_video { mark.cursor } else { wanted.max(run.first.cursor) },
            lost: first.saturating_sub(known.saturating_add(1)),
            decodable,
        };
        if let Some(mark) = self.point_before(run, wanted - 1) {
            return Some(start(run, mark, self.first.cursor, true));
        }
        // The GOP's beginning is gone: what is left of it is of no use.
        match self.starts_at(run, oldest).then_some((run, oldest)).or_else(|| self.start_after(oldest)) {
            Some((run, mark)) if mark == oldest => Some(start(run, mark, self.first.cursor, true)),
            Some((run, mark)) => Some(start(run, mark, mark.cursor, true)),
            None => Some(start(run, oldest, self.first.cursor, false)),
        }
    }

    /// Whether decoding can begin with the message at `mark`.
    fn starts_at(&self, run: &Run, mark: Mark) -> bool {
        let at = self.points.partition_point(|point| point.mark.offset < mark.offset);
        let is_entry =
            || self.points.get(at).is_some_and(|point| point.mark == mark && point.random_access.is_some());
        !run.has_video || run.first == mark || is_entry()
    }

    /// The next place behind `mark` at which decoding can begin, and its run.
    pub(super) fn start_after(&self, mark: Mark) -> Option<(&Run, Mark)> {
        if self.newest_start.is_none_or(|(newest, _)| newest.offset <= mark.offset) {
            return None;
        }
        let later = self.points.partition_point(|point| point.mark.offset <= mark.offset);
        let random_access =
            self.points.range(later..).find(|point| point.random_access.is_some()).map(|point| point.mark);
        let run = self.runs.iter().map(|run| run.first).find(|first| first.offset > mark.offset);
        let next = random_access.into_iter().chain(run).min_by_key(|next| next.offset)?;
        Some((self.runs.iter().rev().find(|run| run.first.offset <= next.offset)?, next))
    }

    /// How long ago decoding could last have begun with what came.
    pub fn without_start(&self, now: Duration) -> Duration {
        self.newest_start.map_or(now, |(_, at)| now.saturating_sub(at))
    }

    /// The last point of `run` at or before `cursor` from which all that is shown after `cursor` can be decoded. Of open
    /// entries that is the last but one: the leading pictures of the last may be behind `cursor`, those of the one
    /// before are not.
    pub(super) fn point_before(&self, run: &Run, cursor: u64) -> Option<Mark> {
        let mut passed_open = false;
        let later = self.points.partition_point(|point| point.mark.cursor <= cursor);
        self.points
            .range(..later)
            .rev()
            .take_while(|point| point.mark.cursor >= run.first.cursor)
            .find(|point| match point.random_access {
                Some(RandomAccess::Closed) => true,
                Some(RandomAccess::Open) => std::mem::replace(&mut passed_open, true),
                None => !run.has_video,
            })
            .map(|point| point.mark)
    }
}
