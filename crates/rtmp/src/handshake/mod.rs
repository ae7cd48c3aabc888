//! RTMP handshake, server side (RTMP §5.2): C0 C1 in, S0 S1 S2 out, C2 in.
//!
//! Two kinds of client exist. Plain ones (OBS, GStreamer, librtmp) leave C1's version at zero and compare S2 with
//! the C1 they sent. Flash-like ones (FFmpeg) put a player version there and hide an HMAC digest in C1; they get a
//! digest of our own in S1 and S2, which is what Flash Media Server answers. C2 is read and not judged: servers that
//! checked it turned working encoders away.

mod digest;

use bytes::{BufMut, BytesMut};

/// Bytes of C1, S1, C2 and S2 (RTMP §5.2.3).
pub const PACKET_LEN: usize = 1536;
/// Random bytes of S1, after its time and version.
pub const RANDOM_LEN: usize = 1528;

const VERSION: u8 = 3;
/// First byte of an MPEG-TS packet, and its length (ISO/IEC 13818-1).
const TS_SYNC: u8 = 0x47;
const TS_PACKET: usize = 188;
/// What S1 claims in answer to a digest. FFmpeg checks digests only for servers ≥ 3.
const SERVER_VERSION: [u8; 4] = [3, 5, 1, 1];

/// Why the first bytes are not a handshake this server does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HandshakeError {
    /// RTMPE (versions 6, 8 and 9): encryption with keys everybody knows.
    #[error("encrypted RTMPE (version {0}) is not offered, use rtmps:// or rtmp://")]
    Rtmpe(u8),
    /// The first byte of a TLS record.
    #[error("TLS on a plain RTMP port, use the rtmps:// address")]
    Tls,
    /// An HTTP request line, or one of RTSP.
    #[error("HTTP on an RTMP port")]
    Http,
    /// MPEG-TS packets.
    #[error("MPEG-TS without RTMP, set the encoder's output to RTMP and its format to FLV")]
    MpegTs,
    /// An FLV file.
    #[error("FLV without RTMP, set the encoder's output to RTMP")]
    Flv,
    /// SSH.
    #[error("SSH on an RTMP port")]
    Ssh,
    /// A PROXY protocol header.
    #[error("a PROXY protocol header, switch it off at the load balancer")]
    Proxy,
    /// Anything else.
    #[error("first byte {0:#04x} is not an RTMP version")]
    NotRtmp(u8),
}

impl HandshakeError {
    /// What is said to somebody who speaks another protocol, in that protocol.
    fn answer(self) -> &'static [u8] {
        match self {
            Self::Http => HTTP_ANSWER,
            Self::Tls => TLS_ANSWER,
            _ => &[],
        }
    }
}

/// To a browser, or a player that was given the wrong address.
const HTTP_ANSWER: &[u8] = b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\n\
Content-Length: 116\r\nConnection: close\r\n\r\n\
This port takes RTMP from encoders: rtmp://<host>/live and a stream key. To watch, open the stream's playback URL.\r\n";
/// A fatal alert, `protocol_version` (RFC 8446 section 6): the client says so instead of "connection reset".
const TLS_ANSWER: &[u8] = &[0x15, 3, 3, 0, 2, 2, 70];
/// Magic of the PROXY protocol's second version.
const PROXY_V2: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";

#[derive(Debug)]
enum HandshakeState {
    C0,
    C1,
    C2 { left: usize },
    Done,
}

/// The handshake of one connection. Holds at most one packet of 1536 bytes.
#[derive(Debug)]
pub struct Handshake {
    state: HandshakeState,
    c1: Vec<u8>,
    random: Box<[u8; RANDOM_LEN]>,
}

impl Handshake {
    /// `random` is what S1 carries; it need not be secret.
    #[must_use]
    pub fn new(random: [u8; RANDOM_LEN]) -> Self {
        Self { state: HandshakeState::C0, c1: Vec::new(), random: Box::new(random) }
    }

    /// Whether C2 has been read whole.
    #[must_use]
    pub fn is_done(&self) -> bool {
        matches!(self.state, HandshakeState::Done)
    }

    /// Consumes handshake bytes from the front of `input`; what follows C2 is left there.
    ///
    /// # Errors
    /// At the first byte, when it is not plain RTMP's version.
    pub fn receive(&mut self, input: &mut &[u8], out: &mut BytesMut) -> Result<(), HandshakeError> {
        loop {
            match &mut self.state {
                HandshakeState::C0 => {
                    let Some((&version, rest)) = input.split_first() else { return Ok(()) };
                    check_version(version, input).inspect_err(|error| out.put_slice(error.answer()))?;
                    *input = rest;
                    self.state = HandshakeState::C1;
                }
                HandshakeState::C1 => {
                    let taken = take(input, PACKET_LEN - self.c1.len());
                    self.c1.extend_from_slice(taken);
                    let Ok(c1) = <&[u8; PACKET_LEN]>::try_from(self.c1.as_slice()) else { return Ok(()) };
                    answer(c1, &self.random, out);
                    self.c1 = Vec::new();
                    self.state = HandshakeState::C2 { left: PACKET_LEN };
                }
                HandshakeState::C2 { left } => {
                    *left -= take(input, *left).len();
                    if *left > 0 {
                        return Ok(());
                    }
                    self.state = HandshakeState::Done;
                }
                HandshakeState::Done => return Ok(()),
            }
        }
    }
}

/// `input` is what came with it: more than a byte tells more.
fn check_version(version: u8, input: &[u8]) -> Result<(), HandshakeError> {
    match version {
        VERSION => Ok(()),
        6 | 8 | 9 => Err(HandshakeError::Rtmpe(version)),
        0x16 => Err(HandshakeError::Tls),
        TS_SYNC if input.get(TS_PACKET) == Some(&TS_SYNC) => Err(HandshakeError::MpegTs),
        _ if input.starts_with(b"FLV\x01") => Err(HandshakeError::Flv),
        _ if input.starts_with(b"SSH-") => Err(HandshakeError::Ssh),
        _ if input.starts_with(b"PROXY ") || input.starts_with(PROXY_V2) => Err(HandshakeError::Proxy),
        // GET, POST/PUT/PATCH/PRI, HEAD, OPTIONS, CONNECT, DELETE, TRACE: letters no RTMP version may be
        // (RTMP §5.2.2 leaves 32-255 out so that text protocols can be told apart).
        b'G' | b'P' | b'H' | b'O' | b'C' | b'D' | b'T' => Err(HandshakeError::Http),
        other => Err(HandshakeError::NotRtmp(other)),
    }
}

fn take<'a>(input: &mut &'a [u8], most: usize) -> &'a [u8] {
    let (taken, rest) = input.split_at(most.min(input.len()));
    *input = rest;
    taken
}

fn answer(c1: &[u8; PACKET_LEN], random: &[u8; RANDOM_LEN], out: &mut BytesMut) {
    let mut s1 = [0; PACKET_LEN];
    s1[PACKET_LEN - RANDOM_LEN..].copy_from_slice(random);
    let mut s2 = *c1;
    if c1[4..8] != [0; 4]
        && let Some((scheme, client_digest)) = digest::of_client(c1)
    {
        s1[4..8].copy_from_slice(&SERVER_VERSION);
        digest::sign_s1(&mut s1, scheme);
        s2[..RANDOM_LEN].copy_from_slice(random);
        digest::sign_s2(&mut s2, &client_digest);
    }
    out.reserve(1 + 2 * PACKET_LEN);
    out.put_u8(VERSION);
    out.put_slice(&s1);
    out.put_slice(&s2);
}
