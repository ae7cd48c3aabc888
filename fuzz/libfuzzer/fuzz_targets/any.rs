//! The entry that `HEADWATER_FUZZ_TARGET` names: one program, so that what it stands on is built once.
#![no_main]

#[path = "../../tests/fuzz/entries/mod.rs"]
mod entries;

use std::sync::LazyLock;

static ENTRY: LazyLock<fn(&[u8])> = LazyLock::new(|| {
    let name = std::env::var("HEADWATER_FUZZ_TARGET").expect("HEADWATER_FUZZ_TARGET names a target");
    let targets = entries::targets();
    targets.iter().find(|(target, _)| target.name == name).expect("there is such a target").0.entry
});

libfuzzer_sys::fuzz_target!(|data: &[u8]| ENTRY(data));
