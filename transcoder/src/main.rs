//! The media container: `transcoder gateway` and `transcoder run`.

fn main() {}
