//! The cases, by what is odd about them.

mod clocks;
mod enhanced;
mod metadata;
mod nal;
mod order;
mod pictures;
mod rates;
mod refused;
mod sound;

use super::case::{Case, start_of_row};

/// All of them.
fn all() -> impl Iterator<Item = Case> {
    let families: [fn() -> Vec<Case>; 19] = [
        clocks::where_they_begin,
        clocks::how_they_step,
        clocks::composition,
        enhanced::codecs,
        enhanced::forms,
        metadata::cases,
        nal::units,
        nal::sets,
        nal::slices,
        nal::groups,
        order::cases,
        pictures::sizes,
        pictures::pixels,
        rates::cases,
        refused::of_sound,
        refused::of_pictures,
        sound::rates,
        sound::signalling,
        sound::odd,
    ];
    families.into_iter().flat_map(|family| family())
}

#[test]
fn the_table_in_docs_names_every_case_once() {
    let table = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/sources.md");
    let table = std::fs::read_to_string(table).unwrap_or_default();
    for case in all() {
        let row = start_of_row(&case);
        assert_eq!(table.matches(&row).count(), 1, "run `make sources`: {row}");
    }
}
