//! Pictures that phones cannot play are made such as they can: 8 bits, 4:2:0, progressive tools only.

use crate::support::flv::{self, FIRST_CURSOR};
use crate::support::{check, collect, input, small, start, transcode};
use headwater_transcoder::media::{EngineSettings, Passthrough, Problem, Problems, RenditionKind, Segment};

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

/// A bar that moves, as fields of 50 pictures a second.
fn fields(flags: &str) -> flv::Flv {
    flv::make(&format!(
        "-f lavfi -i color=c=gray:s=320x180:r=50 -f lavfi -i color=c=white:s=20x180:r=50 \
         -filter_complex [0][1]overlay=x='mod(t*450,320)':y=0:shortest=1,interlace=scan=tff:lowpass=off[v] \
         -map [v] -t 5 -c:v libx264 -preset veryfast {flags} -g 50 -bf 0 -pix_fmt yuv420p"
    ))
}

/// Pictures whose lines are of two instants, by ffmpeg's own eye.
fn combed(segments: &[Segment], name: &str) -> u32 {
    let counted = check::filtered(&check::concatenated(segments, name), "idet");
    let line = counted.lines().find(|line| line.contains("Multi frame detection")).unwrap();
    let number = |after: &str| -> u32 {
        line.split(after).nth(1).unwrap().split_whitespace().next().unwrap().parse().unwrap()
    };
    number("TFF:") + number("BFF:")
}

#[test]
fn interlaced_pictures_are_deinterlaced() {
    for flags in ["-flags +ildct+ilme -x264-params tff=1", "-flags +ildct+ilme -x264-params bff=1"] {
        let source = fields(flags);
        for copied in [false, true] {
            let problems = Problems::default();
            let settings = EngineSettings {
                passthrough: if copied { Passthrough::ALL } else { Passthrough::NONE },
                problems: problems.clone(),
                ..small()
            };
            let out = collect(input(source.bytes(), FIRST_CURSOR), &settings, start()).unwrap();
            assert_eq!(check::consistent(&out.segments).len(), 125);
            assert!(out.segments.iter().all(|s| s.renditions.iter().all(|r| !r.copied)));
            assert!(combed(&out.segments, "180p") < 5, "{}", combed(&out.segments, "180p"));
            assert_eq!((out.end.stats.deinterlaced, problems.worst()), (125, Some(Problem::Interlaced)));
        }
    }
}

#[test]
fn what_is_cropped_at_the_left_is_not_shown() {
    // 16 columns are less than the decoder's rows are aligned to: left to itself it would show them.
    let crop = "crop_left=16:crop_right=16:crop_top=16:crop_bottom=20";
    let out = transcode(&flv::clip("224x144", "25", 2.0, &format!("-g 50 -bsf:v h264_metadata={crop}")));
    assert_eq!(check::consistent(&out.segments).len(), 50);
    // 192x108; with the 16 columns it would be 172 wide.
    let kind = RenditionKind::Video { width: 160, height: 90, frame_rate: 25.0 };
    assert_eq!(out.segments[0].renditions[0].kind, kind);
}
