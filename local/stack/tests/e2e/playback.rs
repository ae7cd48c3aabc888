//! From encoder to viewer: what was published can be played, in all renditions, live and afterwards.

use axum::response::IntoResponse as _;
use headwater_conformance::Profile;
use http::{Method, StatusCode};
use http_body_util::Empty;
use serde_json::json;

use super::hls::{breaks, renditions};
use super::media::{decodes_cleanly, filtered, numbers_after, packets};
use super::support::{Picture, Platform, Running, eventually, small};

#[tokio::test(flavor = "multi_thread")]
#[expect(clippy::too_many_lines, reason = "one story, told in its order")]
async fn what_ffmpeg_publishes_plays_in_all_renditions() {
    let platform = Platform::start().await;
    let mut settings = small();
    settings["reconnect_window_seconds"] = json!(0);
    let stream = platform.create(settings).await;

    let (status, headers, body) = platform.get(&stream.playback).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    assert_eq!(headers["content-type"], "application/problem+json");
    assert!(String::from_utf8_lossy(&body).contains("urn:headwater:problem:not-live"));

    let encoder = Picture::for_seconds(11).publish(&platform.rtmp(0, &stream.key));
    let multivariant = platform.plays(&stream).await;
    platform.status(&stream, "live").await;
    let renditions = renditions(&multivariant);
    let names: Vec<_> = renditions.iter().map(|rendition| rendition.name.as_str()).collect();
    assert_eq!(names, ["180p", "90p", "audio"]);
    let variant = &multivariant.variants[0];
    assert_eq!(variant.resolution.unwrap().to_string(), "320x180");
    assert!(
        variant.codecs.as_ref().unwrap().starts_with("avc1.")
            && variant.codecs.as_ref().unwrap().contains("mp4a.40.2")
    );
    assert!((variant.frame_rate.unwrap() - 25.0).abs() < 0.01);
    assert!(variant.average_bandwidth.unwrap() <= variant.bandwidth);

    platform.conforms_for(&stream.playback, 4, Profile::Watched).await;
    let (ok, said) = encoder.end().await;
    assert!(ok, "{said}");
    let mut playlists = Vec::new();
    for rendition in &renditions {
        let playlist = platform.media_until(&rendition.path, |playlist| playlist.end_list).await;
        assert_eq!(playlist.target_duration, 2);
        assert_eq!(playlist.media_sequence, 0);
        assert!(playlist.segments.iter().all(|segment| segment.program_date_time.is_some()));
        playlists.push(playlist);
    }
    assert!(breaks(&playlists[0]).iter().all(|(_, discontinuity)| !discontinuity), "nothing broke");
    let published = playlists[0].segments.iter().map(|segment| f64::from(segment.duration)).sum::<f64>();
    assert!((published - 11.0).abs() < 0.05, "all 11 seconds are there: {published}");

    let mut starts = Vec::new();
    for (rendition, playlist) in renditions.iter().zip(&playlists) {
        let mut starts_of_this = Vec::new();
        let fetched = platform.fetch(&rendition.name, playlist).await;
        for segment in &fetched {
            let packets = packets(&segment.file).await;
            assert!(
                packets[0].key,
                "segment {} of {} starts with a keyframe",
                segment.number, rendition.name
            );
            // A frame of video is 1/25 s, one of audio 1024 samples.
            let (timescale, frame) =
                if rendition.name == "audio" { (48_000.0, 1_024.0) } else { (90_000.0, 3_600.0) };
            let seconds = packets.len() as f64 * frame / timescale;
            // The last picture stays until the last sound has ended.
            let tail =
                if Some(segment.number) == fetched.last().map(|last| last.number) { 0.022 } else { 0.001 };
            assert!((seconds - segment.seconds).abs() < tail, "EXTINF {} of {seconds}", segment.seconds);
            starts_of_this.push(packets[0].pts as f64 / timescale);
        }
        starts.push(starts_of_this);
        let joined = platform.join(&rendition.name, playlist).await;
        decodes_cleanly(&joined).await;
        let packets = packets(&joined).await;
        assert!(packets.windows(2).all(|pair| pair[0].dts < pair[1].dts), "{} is monotonic", rendition.name);
        if rendition.name != "audio" {
            assert_eq!(packets.len(), 275, "every frame of 11 s at 25 fps is in {}", rendition.name);
        }
    }
    assert_eq!(starts[0], starts[1], "all renditions are cut at the same instants");
    for (video, audio) in starts[0].iter().zip(&starts[2]) {
        assert!(
            (0.0..0.0214).contains(&(video - audio)),
            "audio is cut at the last frame before the video: {video} {audio}"
        );
    }

    // The same broadcast as a recording, found through the API.
    let path = format!("/v1/streams/{}/broadcasts", stream.id);
    let (_, listed) = platform.api(1).call(Method::GET, &path, None).await.unwrap();
    let broadcast = &listed["broadcasts"][0];
    assert_eq!(broadcast["state"], "ended", "{listed}");
    let recording_url = broadcast["recording_url"].as_str().unwrap();
    platform.conforms_as_recording(recording_url).await;
    let recording = platform.multivariant(recording_url).await.unwrap();
    let vod = platform.media(&recording.variants[0].uri).await;
    assert!(vod.end_list && vod.playlist_type == Some(m3u8_rs::MediaPlaylistType::Vod));
    assert_eq!(vod.segments.len(), playlists[0].segments.len());
    assert_eq!(pictures_under_a_prefix(&platform, recording_url).await, "275");
    platform.stop().await;
}

/// How many pictures ffprobe gets of what somebody's site serves from the edge, under a path of its own.
async fn pictures_under_a_prefix(platform: &Platform, url: &str) -> String {
    const PREFIX: &str = "/tv/channel";
    let (edge, http) = (platform.edge(""), platform.http.clone());
    let site = axum::Router::new().fallback(async move |request: http::Request<axum::body::Body>| {
        let Some(path) = request.uri().path().strip_prefix(PREFIX) else {
            return StatusCode::NOT_FOUND.into_response();
        };
        let asked = http::Request::get(format!("{edge}{path}")).body(Empty::new()).unwrap();
        http.request(asked).await.unwrap().map(axum::body::Body::new)
    });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let path = url.strip_prefix(&platform.edge("")).unwrap_or(url);
    let url = format!("http://{}{PREFIX}{path}", listener.local_addr().unwrap());
    let serving = tokio::spawn(axum::serve(listener, site).into_future());
    let what = ["-select_streams", "v:0", "-count_packets", "-show_entries", "stream=nb_read_packets"];
    let arguments = [&["-v", "error"], &what[..], &["-of", "csv=p=0", &url]].concat();
    let (ok, said) = Running::start("ffprobe", &arguments).end().await;
    serving.abort();
    assert!(ok, "{said}");
    said.lines().next().unwrap_or_default().trim().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn picture_and_sound_stay_together() {
    let platform = Platform::start().await;
    let mut settings = small();
    settings["reconnect_window_seconds"] = json!(0);
    let stream = platform.create(settings).await;
    // A white flash and a beep at every second; B-frames, and 44.1 kHz, which must be resampled.
    let url = platform.rtmp(0, &stream.key);
    let encoder = Running::start(
        "ffmpeg",
        &[
            "-loglevel",
            "error",
            "-re",
            "-f",
            "lavfi",
            "-i",
            "color=black:size=320x180:rate=30,drawbox=color=white:t=fill:enable='lt(mod(t,1),0.2)'",
            "-re",
            "-f",
            "lavfi",
            "-i",
            "aevalsrc='if(lt(mod(t,1),0.2),sin(2*PI*1000*t),0)':s=44100",
            "-t",
            "9",
            "-c:v",
            "libx264",
            "-preset",
            "veryfast",
            "-bf",
            "2",
            "-g",
            "60",
            "-pix_fmt",
            "yuv420p",
            "-c:a",
            "aac",
            "-f",
            "flv",
            &url,
        ],
    );
    let multivariant = platform.plays(&stream).await;
    assert!(encoder.end().await.0);
    let video = &renditions(&multivariant)[0].path;
    platform.media_until(video, |playlist| playlist.end_list).await;
    let shown = platform.show(0, &stream).await;
    let listed = platform
        .api(0)
        .call(Method::GET, &format!("/v1/streams/{}/broadcasts", stream.id), None)
        .await
        .unwrap()
        .1;
    let recording =
        listed["broadcasts"][0]["recording_url"].as_str().unwrap_or_else(|| panic!("{listed} {shown}"));
    platform.conforms_as_recording(recording).await;
    let said = filtered(recording, "blackdetect=d=0.3:pix_th=0.5", "silencedetect=noise=-30dB:d=0.3").await;
    let (flashes, beeps) = (numbers_after(&said, "black_end"), numbers_after(&said, "silence_end"));
    assert!(flashes.len() >= 6 && beeps.len() >= 6, "{flashes:?} {beeps:?}\n{said}");
    let mut compared = 0;
    // The end of the input ends both filters as well; only what comes before it is a flash or a beep.
    for flash in flashes.iter().filter(|flash| **flash < 8.5) {
        let Some(beep) = beeps.iter().find(|beep| (*beep - flash).abs() < 0.4) else { continue };
        assert!((flash - beep).abs() < 0.040, "flash at {flash}, beep at {beep}");
        compared += 1;
    }
    assert!(compared >= 6, "{flashes:?} {beeps:?}");
    platform.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn both_regions_take_encoders_and_serve_viewers() {
    let platform = Platform::start().await;
    let stream = platform.create(small()).await;
    // Created in region A, known in region B.
    eventually("region B knows the stream", || async {
        let path = format!("/v1/streams/{}", stream.id);
        let (status, _) = platform.api(1).call(Method::GET, &path, None).await.unwrap();
        (status == StatusCode::OK).then_some(())
    })
    .await;
    let encoder = Picture::default().publish(&platform.rtmp(1, &stream.key));
    let multivariant = platform.plays(&stream).await;
    let path = &renditions(&multivariant)[0].path;
    assert!(path.starts_with("/eu-west-1/playlists/"), "the writing region is asked first: {path}");
    platform.media_until(path, |playlist| playlist.segments.len() >= 2).await;
    platform.conforms(&stream.playback).await;
    let tasks = platform.stack.regions.each_ref().map(|region| region.ecs.tasks().len());
    assert_eq!(tasks, [0, 1], "the task runs where the encoder is");
    encoder.kill().await;
    platform.stop().await;
}
