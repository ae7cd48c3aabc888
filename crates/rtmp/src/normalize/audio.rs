//! The sound of a session: sequence headers, raw AAC, and what comes as ADTS instead.

use bytes::{BufMut, Bytes, BytesMut};

use super::adts::{self, AacConfig};
use super::{Frame, Normal, Useless, rate};
use crate::codec::{AudioCodec, AudioPacket, AudioTag, FourCc};
use crate::message::MediaKind;
use crate::session::MediaMessage;

/// A session's sound on its way into the normal form.
#[derive(Debug, Default)]
pub(super) struct AudioTrack {
    /// Codec of the sequence header in force, and whether it has the enhanced form.
    form: Option<(AudioCodec, bool)>,
    /// What it says, if it is AAC's.
    config: Option<AacConfig>,
    /// The sequence header in force.
    header: Bytes,
    /// The last one as it was sent.
    received: Bytes,
}

impl AudioTrack {
    pub(super) fn push(
        &mut self,
        message: &MediaMessage,
        tag: &AudioTag<'_>,
        out: &mut Vec<Normal>,
    ) -> Result<(), Useless> {
        match tag.packet {
            AudioPacket::SequenceHeader if !tag.data.is_empty() => self.header(&message.payload, tag, out),
            AudioPacket::Frames if tag.codec == AudioCodec::Aac && adts::is_adts(tag.data) => {
                self.adts(message, tag, out)
            }
            AudioPacket::Frames if !tag.data.is_empty() => {
                match self.form {
                    Some(form) if form == (tag.codec, tag.enhanced) => {}
                    Some(_) => return Err(Useless::OtherForm),
                    None => return Err(Useless::NoAudioHeader),
                }
                out.push(frame(message.timestamp, message.payload.clone()));
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn header(&mut self, payload: &[u8], tag: &AudioTag<'_>, out: &mut Vec<Normal>) -> Result<(), Useless> {
        if payload == self.received {
            // Encoders that repeat themselves change nothing, also where their frames have said otherwise.
            return Ok(());
        }
        let numbered = Some(tag.data).filter(|_| tag.codec == AudioCodec::Aac).and_then(rate::numbered);
        let data = numbered.as_deref().unwrap_or(tag.data);
        let config = match tag.codec {
            AudioCodec::Aac => {
                // Some put an ADTS header into its place.
                let config = adts::config(data).or_else(|| AacConfig::read(data));
                Some(config.ok_or(Useless::Header)?)
            }
            _ => None,
        };
        self.received = Bytes::copy_from_slice(payload);
        let body = match config {
            Some(config) if adts::is_adts(data) => header_body(config, tag.enhanced),
            _ if numbered.is_some() => [&payload[..payload.len() - tag.data.len()], data].concat().into(),
            _ => self.received.clone(),
        };
        self.set((tag.codec, tag.enhanced), config, body, out);
        Ok(())
    }

    fn adts(
        &mut self,
        message: &MediaMessage,
        tag: &AudioTag<'_>,
        out: &mut Vec<Normal>,
    ) -> Result<(), Useless> {
        let form = (tag.codec, tag.enhanced);
        if self.form.is_some_and(|known| known != form) {
            return Err(Useless::OtherForm);
        }
        let frames = adts::frames(tag.data).ok_or(Useless::Adts)?;
        let head = &message.payload[..message.payload.len() - tag.data.len()];
        for (one, after) in frames {
            self.follow(one.config, form, out)?;
            let mut body = BytesMut::with_capacity(head.len() + one.raw.len());
            body.put_slice(head);
            body.put_slice(one.raw);
            out.push(frame(message.timestamp.wrapping_add(after), body.freeze()));
        }
        Ok(())
    }

    /// The sequence header holds as long as the frames do not contradict it: it may say more than they can (SBR, and the
    /// channels if they have no number).
    fn follow(
        &mut self,
        config: AacConfig,
        form: (AudioCodec, bool),
        out: &mut Vec<Normal>,
    ) -> Result<(), Useless> {
        let agrees = |known: AacConfig| {
            known.rate == 15
                || (known.rate == config.rate && (config.channels == 0 || known.channels == config.channels))
        };
        if self.config.is_some_and(agrees) {
            return Ok(());
        }
        if config.channels == 0 {
            return Err(Useless::NoAudioHeader);
        }
        self.set(form, Some(config), header_body(config, form.1), out);
        Ok(())
    }

    fn set(
        &mut self,
        form: (AudioCodec, bool),
        config: Option<AacConfig>,
        body: Bytes,
        out: &mut Vec<Normal>,
    ) {
        self.config = config;
        if self.form.replace(form) != Some(form) || self.header != body {
            self.header = body.clone();
            out.push(Normal::Header(MediaKind::Audio, body));
        }
    }
}

fn frame(timestamp: u32, body: Bytes) -> Normal {
    Normal::Frame(Frame { kind: MediaKind::Audio, timestamp, random_access: None, body })
}

/// A sequence header message (FLV 10.1 §E.4.2.1, E-RTMP "Enhanced Audio").
fn header_body(config: AacConfig, enhanced: bool) -> Bytes {
    let mut body = BytesMut::new();
    if enhanced {
        body.put_u8(0x90);
        body.put_slice(&FourCc::AAC.0);
    } else {
        body.put_slice(&[0xAF, 0]);
    }
    body.put_slice(&config.write());
    body.freeze()
}
