//! The whole platform on one machine.

fn main() {}
