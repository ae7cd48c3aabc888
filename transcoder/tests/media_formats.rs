//! Pictures that phones cannot play are made such as they can: 8 bits, 4:2:0, progressive tools only.
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod media_support;

use headwater_transcoder::media::RenditionKind;
use media_support::flv;
use media_support::{check, transcode};

#[test]
fn more_bits_and_more_colour_than_phones_play() {
    let plain = transcode(&flv::clip("160x90", "25", 3.0, "-g 50 -bf 2"));
    let pictures = check::luma(&check::concatenated(&plain.segments, "90p"));
    for format in ["yuv420p10le", "yuv422p", "yuv422p10le", "yuv444p", "yuv444p10le", "gray"] {
        let source =
            flv::clip("160x90", "25", 3.0, &format!("-g 50 -bf 2 -vf format={format} -pix_fmt {format}"));
        let out = transcode(&source);
        assert_eq!(check::consistent(&out.segments).len(), 75, "{format}");
        assert_eq!(out.end.stats.video_errors, 0, "{format}");
        // `consistent` holds that the profile is High, which has 8 bits and 4:2:0.
        let kind = RenditionKind::Video { width: 160, height: 90, frame_rate: 25.0 };
        assert_eq!(out.segments[0].renditions[0].kind, kind, "{format}");
        let shown = check::luma(&check::concatenated(&out.segments, "90p"));
        let apart = shown.iter().zip(&pictures).map(|(a, b)| a.abs_diff(*b)).max().unwrap();
        assert!(apart <= 4, "{format}: {apart}");
    }
}

#[test]
fn interlaced_pictures() {
    let out = transcode(&flv::clip("320x180", "25", 3.0, "-g 50 -x264-params tff=1"));
    assert_eq!(check::consistent(&out.segments).len(), 75);
}

#[test]
fn what_is_cropped_at_the_left_is_not_shown() {
    // 16 columns are less than the decoder's rows are aligned to: left to itself it would show them.
    let crop = "crop_left=16:crop_right=16:crop_top=16:crop_bottom=20";
    let out = transcode(&flv::clip("224x144", "25", 2.0, &format!("-g 50 -bsf:v h264_metadata={crop}")));
    assert_eq!(check::consistent(&out.segments).len(), 50);
    let kind = RenditionKind::Video { width: 192, height: 108, frame_rate: 25.0 };
    assert_eq!(out.segments[0].renditions[0].kind, kind);
}
