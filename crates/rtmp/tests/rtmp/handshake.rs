//! The handshake, with clients of our own that check what real ones check.

use bytes::BytesMut;
use headwater_rtmp::handshake::{Handshake, HandshakeError};
use headwater_rtmp::{ErrorKind, Phase, ServerSession, SessionConfig, SessionError};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

const RANDOM: [u8; 1528] = [0xC3; 1528];
const PLAYER: &[u8] = b"Genuine Adobe Flash Player 001";
const SERVER: &[u8] = b"Genuine Adobe Flash Media Server 001";
const TAIL: &str = "f0eec24a8068bee82e00d0d1029e7e576eec5d2d29806fab93b8e636cfeb31ae";

fn hmac(key: &[u8], data: &[u8]) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    mac.update(data);
    mac.finalize().into_bytes().to_vec()
}

fn without(packet: &[u8], at: usize) -> Vec<u8> {
    [&packet[..at], &packet[at + 32..]].concat()
}

fn digest_at(packet: &[u8], scheme: usize) -> usize {
    let base = [8, 772][scheme];
    packet[base..base + 4].iter().map(|&byte| usize::from(byte)).sum::<usize>() % 728 + base + 4
}

/// S0 S1 S2 for a C1.
fn answer(c1: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let mut handshake = Handshake::new(RANDOM);
    let mut out = BytesMut::new();
    let hello = [&[3], c1].concat();
    handshake.receive(&mut &hello[..], &mut out).unwrap();
    assert_eq!(out.len(), 1 + 2 * 1536);
    assert_eq!(out[0], 3);
    (out[1..1537].to_vec(), out[1537..].to_vec())
}

#[test]
fn plain_clients_get_their_c1_back() {
    let mut c1: Vec<u8> = (0..1536u32).map(|n| (n * 7) as u8).collect();
    c1[4..8].fill(0);
    let (s1, s2) = answer(&c1);
    assert_eq!(s2, c1, "GStreamer and librtmp compare S2 with C1");
    assert_eq!(s1[..8], [0; 8]);
    assert_eq!(s1[8..], RANDOM);
}

#[test]
fn digest_clients_get_digests_in_both_schemes() {
    for scheme in [0, 1] {
        let mut c1: Vec<u8> = (0..1536u32).map(|n| (n * 13 + 5) as u8).collect();
        c1[4..8].copy_from_slice(&[9, 0, 124, 2]);
        let at = digest_at(&c1, scheme);
        let client_digest = hmac(PLAYER, &without(&c1, at));
        c1[at..at + 32].copy_from_slice(&client_digest);
        let (s1, s2) = answer(&c1);

        assert!(s1[4] >= 3, "FFmpeg checks digests of servers from version 3 on");
        let at = digest_at(&s1, scheme);
        assert_eq!(s1[at..at + 32], hmac(SERVER, &without(&s1, at)), "scheme {scheme}");

        let tail: Vec<u8> =
            (0..32).map(|n| u8::from_str_radix(&TAIL[2 * n..2 * n + 2], 16).unwrap()).collect();
        let key = hmac(&[SERVER, &tail].concat(), &client_digest);
        assert_eq!(s2[1504..], hmac(&key, &s2[..1504]), "scheme {scheme}");
    }
}

#[test]
fn a_version_without_a_true_digest_is_answered_plainly() {
    let mut c1 = vec![0x11; 1536];
    c1[4..8].copy_from_slice(&[9, 0, 124, 2]);
    let (s1, s2) = answer(&c1);
    assert_eq!(s2, c1);
    assert_eq!(s1[4..8], [0; 4]);
}

#[test]
fn what_follows_c2_is_left_alone_at_any_split() {
    let hello = [&[3][..], &[0; 1536], &[0; 1536], b"next"].concat();
    for split in [0, 1, 2, 1536, 1537, 1538, 3072, 3073, 3075] {
        let mut handshake = Handshake::new(RANDOM);
        let mut out = BytesMut::new();
        let mut first = &hello[..split];
        handshake.receive(&mut first, &mut out).unwrap();
        let rest = [first, &hello[split..]].concat();
        let mut rest = &rest[..];
        handshake.receive(&mut rest, &mut out).unwrap();
        assert!(handshake.is_done());
        assert_eq!(rest, b"next", "split at {split}");
    }
}

#[test]
fn other_protocols_are_told_from_the_first_byte() {
    for (bytes, error) in [
        (&b"GET / HTTP/1.1\r\n"[..], HandshakeError::Http),
        (b"POST /open/1 HTTP/1.1", HandshakeError::Http),
        (b"\x16\x03\x01\x02\x00", HandshakeError::Tls),
        (b"\x06", HandshakeError::Rtmpe(6)),
        (b"\x08", HandshakeError::Rtmpe(8)),
        (b"\x00", HandshakeError::NotRtmp(0)),
        (b"SSH-2.0", HandshakeError::NotRtmp(b'S')),
        (b"\xff", HandshakeError::NotRtmp(0xFF)),
    ] {
        let mut session = ServerSession::new(SessionConfig::new(RANDOM));
        let refused = session.receive(&bytes[..1]).unwrap_err();
        assert_eq!(refused, SessionError::Handshake(error));
        assert_eq!(session.phase(), Phase::Closed);
        let said = session.poll_output().unwrap_or_default();
        match error {
            HandshakeError::Http => assert!(said.starts_with(b"HTTP/1.1 400 "), "{said:?}"),
            HandshakeError::Tls => assert_eq!(said[..], [0x15, 3, 3, 0, 2, 2, 70], "a fatal alert"),
            _ => assert_eq!(said[..], [], "nothing is said to strangers"),
        }
        assert_eq!(session.receive(&bytes[1..]), Ok(()), "and nothing more is heard");
        let kind =
            if matches!(error, HandshakeError::Rtmpe(_)) { ErrorKind::Refused } else { ErrorKind::NotRtmp };
        assert_eq!(refused.kind(), kind);
    }
}

#[test]
fn an_answer_over_http_is_whole() {
    let mut session = ServerSession::new(SessionConfig::new(RANDOM));
    session.receive(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").unwrap_err();
    let said = String::from_utf8(session.poll_output().unwrap().to_vec()).unwrap();
    let (head, body) = said.split_once("\r\n\r\n").unwrap();
    let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: ")).unwrap();
    assert_eq!(length.parse::<usize>().unwrap(), body.len());
    assert!(body.contains("rtmp://") && head.contains("Connection: close"), "{said}");
}

#[test]
fn protocols_that_several_bytes_tell_are_named() {
    let mut packets = [0; 2 * 188];
    (packets[0], packets[188]) = (0x47, 0x47);
    for (bytes, error) in [
        (&packets[..], HandshakeError::MpegTs),
        (b"FLV\x01\x05\0\0\0\x09", HandshakeError::Flv),
        (b"SSH-2.0-OpenSSH_9.2\r\n", HandshakeError::Ssh),
        (b"PROXY TCP4 10.0.0.1 10.0.0.2 1 1935\r\n", HandshakeError::Proxy),
        (b"\r\n\r\n\0\r\nQUIT\n\x21\x11", HandshakeError::Proxy),
        (b"G", HandshakeError::Http),
        (b"\x7fELF", HandshakeError::NotRtmp(0x7f)),
    ] {
        let mut session = ServerSession::new(SessionConfig::new(RANDOM));
        assert_eq!(session.receive(bytes), Err(SessionError::Handshake(error)));
    }
}
