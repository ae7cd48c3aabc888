//! Pictures: sizes, shapes, pixels, colours (ITU-T H.264 7.3.2.1.1, annex E).

use super::super::case::{Case, case, hold};
use super::super::clip::clip;
use super::super::fields::{Coding, film};
use super::super::message::{AUDIO, Message, merged, only, timed};

fn sized(width: usize, height: usize) -> impl Fn() -> Vec<Message> {
    move || clip().size(width, height).flv()
}

fn as_pixels(options: &'static str) -> impl Fn() -> Vec<Message> {
    move || clip().x264(&format!("-g 25 {options}")).flv()
}

pub fn sizes() -> Vec<Case> {
    vec![
        case(
            "a width that is no multiple of 16",
            "ossrs/srs#2539: cropped in the SPS",
            75,
            3.0,
            sized(198, 108),
        )
        .sized(198, 108),
        case("pictures of 1920x1088 cropped to 1080", "ossrs/srs#1421", 25, 1.0, || {
            clip().size(1_920, 1_080).rate("25", 25).flv()
        }),
        case(
            "cropped at the left and at the top",
            "H.264 7.4.2.1.1: frame_cropping; TigerVNC#1480",
            75,
            3.0,
            || {
                clip()
                    .x264("-g 25 -vf pad=224:144:16:16 -bsf:v h264_metadata=crop_left=16:crop_right=16:crop_top=16:crop_bottom=20")
                    .flv()
            },
        )
        .sized(192, 108),
        case("sides that are odd", "H.264 6.2: 4:4:4 allows them", 75, 3.0, || {
            clip().size(193, 109).x264("-g 25 -pix_fmt yuv444p").flv()
        }),
        case("upright", "phones", 75, 3.0, sized(112, 192)),
        case("a panorama", "H.264 annex E; 32:9", 75, 3.0, sized(384, 108)).sized(384, 108),
        case("square", "Instagram", 75, 3.0, sized(128, 128)),
        case("as small as it gets", "MIN_SIDE", 75, 3.0, sized(32, 16)),
        case("4K", "H.264 table A-1: level 5.1", 12, 0.5, || {
            clip().size(3_840, 2_160).rate("25", 12).x264("-g 12 -preset ultrafast").flv()
        }),
        case("too wide", "MAX_SIDE", 0, 0.0, || clip().size(4_112, 32).rate("25", 12).silent_film().flv())
            .says("4112x32"),
        case("pixels that are not square", "H.264 E.2.1: aspect_ratio_idc", 75, 3.0, || {
            clip().size(144, 108).x264("-g 25 -aspect 16/9").flv()
        })
        .sized(192, 108),
        case("turned by a display orientation SEI", "H.264 D.2.27", 75, 3.0, || {
            clip().x264("-g 25 -bsf:v h264_metadata=rotate=90:display_orientation=insert").flv()
        }),
    ]
}

pub fn pixels() -> Vec<Case> {
    vec![
        case(
            "monochrome",
            "H.264 A.2.4: chroma_format_idc 0",
            75,
            3.0,
            as_pixels("-vf format=gray -pix_fmt gray"),
        ),
        case("10 bits", "H.264 A.2.5: High 10", 75, 3.0, as_pixels("-pix_fmt yuv420p10le")),
        case("4:2:2", "H.264 A.2.6: High 4:2:2", 75, 3.0, as_pixels("-pix_fmt yuv422p")),
        case("4:2:2 of 10 bits", "H.264 A.2.6; SDI encoders", 75, 3.0, as_pixels("-pix_fmt yuv422p10le")),
        case(
            "4:4:4",
            "H.264 A.2.7: High 4:4:4 Predictive; obs-studio#3517",
            75,
            3.0,
            as_pixels("-pix_fmt yuv444p"),
        ),
        case("RGB", "H.264 E.2.1: matrix_coefficients 0; x264rgb", 75, 3.0, || {
            clip().x264("-g 25 -c:v libx264rgb -pix_fmt rgb24").flv()
        }),
        case("full range", "H.264 E.2.1: video_full_range_flag", 75, 3.0, as_pixels("-pix_fmt yuvj420p")),
        case("BT.2020 and PQ", "H.264 E.2.1; HDR", 75, 3.0, {
            as_pixels(
                "-pix_fmt yuv420p10le -color_primaries bt2020 -color_trc smpte2084 -colorspace bt2020nc",
            )
        }),
        case(
            "interlaced",
            "datarhei/restreamer#465",
            75,
            3.0,
            as_pixels("-flags +ildct+ilme -x264-params tff=1"),
        )
        .says("interlaced"),
        case(
            "interlaced, each field a picture of its own",
            "H.264 7.3.3: field_pic_flag; mbaff off",
            75,
            3.0,
            as_pixels("-x264-params bff=1:fake-interlaced=1"),
        )
        .says("interlaced"),
    ]
}

/// A film of frames and fields, with sound.
fn fielded(coding: impl Fn(usize) -> Coding) -> Vec<Message> {
    // Without B-frames, so that FFmpeg delays nothing.
    let sound = only(clip().x264("-g 25 -bf 0").flv(), |one| one.kind == AUDIO);
    merged([film(75, coding), sound])
}

/// One source after the other on one clock.
fn joined(one: Vec<Message>, other: Vec<Message>, at: u32) -> Vec<Message> {
    let after = timed(other, |one| one.time + at);
    one.into_iter().chain(only(after, |one| one.is_header() || one.is_picture() || one.is_sound())).collect()
}

pub fn fields() -> Vec<Case> {
    let (plain, interlaced) = ("-g 25", "-g 25 -flags +ildct+ilme -x264-params tff=1");
    let change = |first: &'static str, second: &'static str| {
        move || {
            let of = |first, options| clip().rate("25", 50).numbered_from(first).x264(options).flv();
            joined(of(0, first), of(50, second), 2_000)
        }
    };
    vec![
        case("pairs of fields", "H.264 7.3.3: field_pic_flag", 75, 3.0, || fielded(|_| Coding::Pair))
            .says("interlaced"),
        case("fields in messages of their own", "RFC 6184: an access unit is a field", 75, 3.0, || {
            fielded(|_| Coding::Apart(20))
        })
        .says("interlaced"),
        case("fields in messages of their own at one time", "FLV: times of whole pictures", 75, 3.0, || {
            fielded(|_| Coding::Apart(0))
        })
        .says("interlaced"),
        case(
            "frames and pairs of fields by turns (PAFF)",
            "H.264 7.4.2.1.1: frame_mbs_only_flag 0",
            75,
            3.0,
            || fielded(|number| if number / 10 % 2 == 0 { Coding::Frame } else { Coding::Pair }),
        )
        .says("interlaced"),
        case("frames that become fields", "capture cards: film, then a live studio", 75, 3.0, || {
            fielded(|number| if number < 40 { Coding::Frame } else { Coding::Pair })
        })
        .says("interlaced"),
        case("fields that become frames", "capture cards: a live studio, then film", 75, 3.0, || {
            fielded(|number| if number < 40 { Coding::Apart(20) } else { Coding::Frame })
        })
        .says("interlaced"),
        case("frames alone where fields may be", "H.264 7.4.2.1.1: frame_mbs_only_flag 0", 75, 3.0, || {
            fielded(|_| Coding::Frame)
        }),
        case("a progressive source that becomes interlaced", "H.264 7.4.1.2.1: another SPS", 100, 4.0, {
            change(plain, interlaced)
        })
        .says("interlaced"),
        case("an interlaced source that becomes progressive", "H.264 7.4.1.2.1: another SPS", 100, 4.0, {
            change(interlaced, plain)
        })
        .says("interlaced"),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn frames_and_fields() {
    hold("frames and fields", fields()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sizes_and_shapes() {
    hold("sizes and shapes", sizes()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pixels_and_colours() {
    hold("pixels and colours", pixels()).await;
}
