//! What is made of a source: which renditions, under which names, and how much work each gets. Pure.

pub(super) mod governor;
pub(super) mod ladder;
pub(super) mod names;
