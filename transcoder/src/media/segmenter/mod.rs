//! Where segments and parts are cut, and which pictures are in them.

pub(super) mod cut;
pub(super) mod frames;
pub(super) mod ledger;
