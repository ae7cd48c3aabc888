//! A second of grey pictures and silence, as FLV, made with our own encoders as a publisher would send it.

use ff::{codec, encoder, format, frame, picture};
use ffmpeg_next as ff;

use crate::media::audio::aac::Aac;
use crate::media::error::MediaError;
use crate::media::package::mux::Buffer;
use crate::media::plan::ladder::Sized;
use crate::media::settings::Rung;
use crate::media::video::x264::{Colour, Encoding, TIME_BASE};
use crate::media::{FRAME_SAMPLES, GridFrame, MediaTime, SAMPLE_RATE};

const WIDTH: u32 = 128;
/// Lines of a picture.
pub(super) const HEIGHT: u32 = 72;
/// Pictures in all, and pictures a second.
pub(super) const PICTURES: u32 = 10;
/// Bits per second, of pictures and of sound.
pub(super) const BITRATE: u32 = 100_000;
/// A value for Y, U and V that is mid-grey in all.
const GREY: u8 = 128;
const CHANNELS: u16 = 1;
const SOUND_BASE: ff::Rational = ff::Rational(1, SAMPLE_RATE as i32);

/// The whole file.
pub(super) fn make() -> Result<Vec<u8>, MediaError> {
    let mut video = encoding().open().map_err(MediaError::av("cannot open x264"))?;
    let mut audio = Aac::open(CHANNELS, BITRATE, GridFrame::new(0))?;
    let pictures = pictures(&mut video).map_err(MediaError::av("cannot encode a picture"))?;
    let sound = sound(&mut audio)?;
    let tracks: [(&codec::Context, _, _); 2] =
        [(&video, TIME_BASE, pictures), (audio.context(), SOUND_BASE, sound)];
    wrap(tracks).map_err(MediaError::av("cannot make FLV"))
}

fn encoding() -> Encoding {
    let rung = Rung::new("clip", HEIGHT, BITRATE);
    Encoding {
        sized: Sized { rung, width: WIDTH, height: HEIGHT, halved: false },
        frame_rate: PICTURES.into(),
        colour: Colour {
            space: ff::color::Space::BT709,
            primaries: ff::color::Primaries::BT709,
            transfer: ff::color::TransferCharacteristic::BT709,
            range: ff::color::Range::MPEG,
        },
        low_latency: true,
        scaled: false,
        fast: false,
    }
}

fn pictures(encoder: &mut encoder::Video) -> Result<Vec<ff::Packet>, ff::Error> {
    let mut grey = frame::Video::new(format::Pixel::YUV420P, WIDTH, HEIGHT);
    for plane in 0..grey.planes() {
        grey.data_mut(plane).fill(GREY);
    }
    let mut packets = Vec::new();
    for index in 0..PICTURES {
        grey.set_pts(Some(MediaTime::from_millis((index * 1_000 / PICTURES).into()).ticks()));
        grey.set_kind(if index == 0 { picture::Type::I } else { picture::Type::None });
        encoder.send_frame(&grey)?;
        receive(encoder, &mut packets)?;
    }
    encoder.send_eof()?;
    receive(encoder, &mut packets)?;
    Ok(packets)
}

fn receive(encoder: &mut encoder::Video, packets: &mut Vec<ff::Packet>) -> Result<(), ff::Error> {
    loop {
        let mut packet = ff::Packet::empty();
        match encoder.receive_packet(&mut packet) {
            Ok(()) => packets.push(packet),
            Err(ff::Error::Eof | ff::Error::Other { errno: ff::error::EAGAIN }) => return Ok(()),
            Err(error) => return Err(error),
        }
    }
}

fn sound(encoder: &mut Aac) -> Result<Vec<ff::Packet>, MediaError> {
    let end = MediaTime::from_secs(1).frame().next();
    let mut at = GridFrame::new(0);
    while at < end {
        encoder.encode(at, &[vec![0.0; FRAME_SAMPLES]])?;
        at = at.next();
    }
    encoder.finish()?;
    Ok(encoder.take(end))
}

fn wrap(tracks: [(&codec::Context, ff::Rational, Vec<ff::Packet>); 2]) -> Result<Vec<u8>, ff::Error> {
    let buffer = Buffer::default();
    let io = format::context::StreamIo::from_write(buffer.clone())?;
    let mut output = format::output_to_stream(io, None, Some("flv"))?;
    for (encoder, base, _) in &tracks {
        output.add_stream_with(encoder)?.set_time_base(*base);
    }
    output.write_header()?;
    for (index, (_, base, packets)) in tracks.into_iter().enumerate() {
        let flv = output.stream(index).ok_or(ff::Error::StreamNotFound)?.time_base();
        for mut packet in packets {
            packet.set_stream(index);
            packet.rescale_ts(base, flv);
            packet.write_interleaved(&mut output)?;
        }
    }
    output.write_trailer()?;
    drop(output);
    Ok(buffer.take())
}
