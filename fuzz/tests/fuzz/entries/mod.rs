//! What is fuzzed, with what each may take. Also included by `libfuzzer/`.

pub(crate) mod api;
mod harness;
pub(crate) mod hooks;
pub(crate) mod ids;
pub(crate) mod media;
pub(crate) mod normalize;
pub(crate) mod playlist;
pub(crate) mod rtmp;

use headwater_fuzz::Target;

/// Memory of a whole function with its fakes, bytes.
const WORLD: u64 = 8 << 20;

const AMF: &[&[u8]] =
    &[b"\x03\0\0\x09", b"\x08\0\0\0\x01", b"\x0a\xff\xff\xff\xff", b"\x02\0\x07connect", b"\x11\x0a\x0b\x01"];
const CODECS: &[&[u8]] =
    &[b"\x90hvc1", b"\x91av01", b"\x97", b"\x96\x01", b"\x17\0", b"\xaf\0", b"\x1c\0", b"\x93vp09"];
const NALS: &[&[u8]] = &[
    b"\x00\x00\x00\x01",
    b"\x00\x00\x01",
    b"\x17\0\0\0\0",
    b"\x17\x01\0\0\0",
    b"\x27\x01\0\0\0",
    b"\x90hvc1",
    b"\xa3hvc1",
    b"\x65\x88",
    b"\x65\x40",
    b"\x68\xee\x3c\x80",
    b"\xaf\x01\xff\xf1\x4c\x40",
];
const JSON: &[&[u8]] = &[
    b"null",
    b"[[[[",
    b"{\"",
    b"\"\\ud800\"",
    b"1e999",
    b"-1",
    b"18446744073709551616",
    b"\0",
    b"true",
    b"\"settings\":",
    b"\"gateway\":",
    b"\"key\":",
    b"../",
    b"\\r\\n",
];
const PATHS: &[&[u8]] = &[
    b"/../",
    b"%2e%2e%2f",
    b"%00",
    b"//",
    b"?",
    b"&",
    b"_HLS_msn=",
    b"_HLS_part=",
    b"_HLS_skip=YES",
    b"18446744073709551615",
    b"-1",
    b"+1",
    b"/vod/",
    b"/low-latency/",
    b"/parts/",
    b"index.m3u8",
    b"\n",
];
const IDS: &[&[u8]] = &[b"-", b".", b"/", b"us-east-1", b"00000000", b"4294967296", b"\xc3\xa9", b"_HLS"];

/// The targets, each with its rounds as a test.
pub(crate) fn targets() -> Vec<(Target, u64)> {
    let target = |name, entry: fn(&[u8]), max_len, heap, words| Target { name, entry, max_len, heap, words };
    vec![
        (target("handshake", rtmp::handshake, 8_192, (64 << 10, 8), &[]), 2_000),
        // Two readers, and messages that are handed out: some 200 bytes each, of which the smallest has two.
        (
            target(
                "chunks",
                rtmp::chunks,
                16_384,
                (128 << 10, 600),
                &[b"\x03", b"\xc3", b"\x02\0\0\0\0\0\x04\x01\0\0\0\0"],
            ),
            6_000,
        ),
        // A value of one byte takes 40; encoded anew, it is there four times.
        (target("amf", rtmp::amf, 16_384, (64 << 10, 600), AMF), 10_000),
        (target("session", rtmp::session, 16_384, (512 << 10, 600), AMF), 6_000),
        (target("codec", media::codec, 4_096, (16 << 10, 8), CODECS), 20_000),
        // Parameter sets are kept twice, and what holds no picture waits: 80 KiB in all.
        (target("normalize", normalize::normalize, 16_384, (256 << 10, 32), NALS), 20_000),
        (target("remux", media::remux, 65_536, (512 << 10, 16), CODECS), 4_000),
        (target("ids", ids::ids, 256, (8 << 10, 64), IDS), 20_000),
        (target("key", ids::key, 256, (8 << 10, 64), IDS), 10_000),
        (target("playlist", playlist::playlist, 1_024, (WORLD, 64), PATHS), 1_500),
        (target("hooks", hooks::hooks, 16_384, (WORLD, 64), JSON), 1_500),
        (target("api", api::api, 16_384, (WORLD, 64), JSON), 1_500),
    ]
}
