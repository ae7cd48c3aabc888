//! Packets to CMAF fragments, fragments to parts and segments of all renditions.

pub(super) mod assemble;
pub(super) mod codecs;
pub(super) mod mux;
pub(super) mod part;
