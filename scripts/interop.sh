#!/usr/bin/env bash
# Headwater with the programs people use: OBS publishes; ffmpeg, mpv, GStreamer, streamlink, VLC, and in Chromium hls.js and
# Shaka Player play, at the edge itself and under a path prefix; headwater-check judges. At the end a region is lost under
# players that are playing.
# Starts a stack of its own, prints one PASS or FAIL line per case, ends with 1 if any failed. Takes about six minutes.
# CASES='players region_lost' runs these only (obs, players, region_lost).
# Usage: scripts/interop.sh [path of headwater-local]
#   PORT_BASE=23000   first port of the stack (a block of 24)
#   KEEP=1            keep data and logs when everything passed (they are always kept after a failure)
#   HEADWATER_ARTIFACTS=folder   put data and logs there instead of a temporary folder
# shellcheck disable=SC2317 # conditions and the trap's function are called by name
set -uo pipefail

# Every wait below has its own bound; this one is for what we did not think of.
readonly MAX_TOTAL_SECONDS=900
if [ -z "${INTEROP_BOUNDED-}" ]; then
  INTEROP_BOUNDED=1 exec timeout --foreground -k 90 "$MAX_TOTAL_SECONDS" "$0" "$@"
fi

headwater=${1:-${CARGO_TARGET_DIR:-$HOME/.cache/headwater/target}/debug/headwater-local}
port_base=${PORT_BASE:-23000}
relay_port=$((port_base + 22))
prefix_port=$((port_base + 23))
[ -x "$headwater" ] || { echo "interop: $headwater is not there; build it with: cargo build --locked --workspace --bins" >&2; exit 2; }

packages=(chromium curl ffmpeg fonts-dejavu-core gstreamer1.0-libav gstreamer1.0-plugins-bad gstreamer1.0-plugins-base
  gstreamer1.0-plugins-good gstreamer1.0-tools jq libgl1-mesa-dri mpv nginx-light obs-plugins obs-studio procps socat streamlink
  util-linux vlc-bin vlc-plugin-base xvfb)
missing=()
for package in "${packages[@]}"; do
  dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'install ok installed' || missing+=("$package")
done
if [ ${#missing[@]} -gt 0 ]; then
  echo "interop: installing ${missing[*]}"
  sudo=; [ "$(id -u)" = 0 ] || sudo=sudo
  $sudo apt-get update -qq
  DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null || exit 2
fi

if [ -n "${HEADWATER_ARTIFACTS-}" ]; then
  work=$HEADWATER_ARTIFACTS/interop
  rm -rf "$work"; mkdir -p "$work"
  KEEP=1
else
  work=$(mktemp -d "${TMPDIR:-/tmp}/headwater-interop.XXXXXX")
fi
work=$(realpath "$work")
# VLC's user must be able to come through.
chmod 755 "$work"

# ---------------------------------------------------------------- processes

declare -A running=()

# start NAME COMMAND…: in the background, in a session of its own, output to NAME.log.
# A shell without job control would have its background processes ignore SIGINT.
start() {
  local name=$1; shift
  setsid env --default-signal=INT "$@" >"$work/$name.log" 2>&1 </dev/null &
  running[$name]=$!
  disown
}

# end NAME [SIGNAL]: the whole session; by force if it does not go.
end() {
  local pid=${running[$1]-} waited=0
  [ -n "$pid" ] || return 0
  unset "running[$1]"
  kill "-${2:-TERM}" "$pid" 2>/dev/null
  while kill -0 "$pid" 2>/dev/null && [ $((waited += 1)) -le 60 ]; do sleep 0.25; done
  kill -KILL -- "-$pid" 2>/dev/null
}

failed=0
finish() {
  local name
  trap - EXIT
  for name in "${!running[@]}"; do [ "$name" = stack ] || end "$name"; done
  end stack
  if [ "$failed" = 0 ] && [ -z "${KEEP-}" ]; then rm -rf "$work"; else echo; echo "Data and logs: $work"; fi
}
trap finish EXIT
trap 'failed=1; exit 130' INT TERM

# ------------------------------------------------------------------ results

printf '%-4s  %-46s  %s\n' '' case 'what was seen'
pass() { printf 'PASS  %-46s  %s\n' "$1" "$2"; }
fail() { printf 'FAIL  %-46s  %s\n' "$1" "$2"; failed=1; }
# check CASE SEEN COMMAND…: passes if the command does.
check() {
  local case=$1 seen=$2; shift 2
  if "$@"; then pass "$case" "$seen"; else fail "$case" "$seen"; fi
}

# within SECONDS COMMAND…: waits until the command succeeds.
within() {
  local until=$((SECONDS + $1)); shift
  until "$@"; do [ "$SECONDS" -lt "$until" ] || return 1; sleep 0.25; done
}
said() { grep -qaE -- "$2" "$work/$1.log"; }
# line NAME PATTERN: the last line of a log that matches, without OBS's prefix.
line() { grep -aE -- "$2" "$work/$1.log" | tail -1 | sed 's/^[a-z]*: //'; }

# -------------------------------------------------------------------- stack

start stack "$headwater" run --port-base "$port_base" --data "$work/data" --web "$work/no-page"
endpoints=$work/data/endpoints.json
if ! within 60 test -s "$endpoints"; then
  cat "$work/stack.log"; fail 'the local stack starts' "no $endpoints after 60 s"; exit 1
fi
api=$(jq -r '.regions[0].api' "$endpoints")
token=$(jq -r .token "$endpoints")
rtmp=$(jq -r '.regions[0].rtmp' "$endpoints")
gateway=$work/data/logs/$(jq -r '.regions[0].name' "$endpoints")/gateway.log

call() { curl -sS -m 10 -X "$1" "$api$2" -H "Authorization: Bearer $token" -H 'Content-Type: application/json' "${@:3}"; }
status_of() { call GET "/v1/streams/$1" | jq -r .status; }
broadcast_of() { call GET "/v1/streams/$1" | jq -r '.broadcast.id // "none"'; }
is() { [ "$(status_of "$1")" = "$2" ]; }
is_live_in_another() { is "$1" live && [ "$(broadcast_of "$1")" != "$2" ]; }
# The playlists of one broadcast follow one another, so a new one shows when the edge's copy has aged.
plays() { curl -sf -m 5 "$1" | grep -q "$2"; }
published() { grep -c 'publishing' "$gateway"; }
published_more_than() { [ "$(published)" -gt "$1" ]; }

edge=$(jq -r .edge "$endpoints")

# The edge in a folder of somebody's site: playlists name everything by the way from themselves, so it plays there as well.
# What a player asks for beside the folder is noted.
readonly FOLDER=/a/site/live-tv
start_prefix() {
  : >"$work/beside.log"
  cat >"$work/prefix.conf" <<CONF
daemon off;
master_process off;
pid $work/prefix.pid;
error_log stderr warn;
events {}
http {
  access_log off;
  client_body_temp_path $work/prefix.tmp;
  proxy_temp_path $work/prefix.tmp;
  log_format asked '\$request';
  server {
    listen 127.0.0.1:$prefix_port;
    proxy_http_version 1.1;
    proxy_buffering off;
    location $FOLDER/ { proxy_pass $edge/; }
    location / { access_log $work/beside.log asked; return 404; }
  }
}
CONF
  start prefix nginx -p "$work" -c "$work/prefix.conf"
  within 10 curl -so "$work/prefix.json" -m 5 "http://127.0.0.1:$prefix_port$FOLDER/live/index.json"
}

obs_stream=$(jq -r .demo.stream_id "$endpoints")
obs_key=$(jq -r .demo.stream_key "$endpoints")
obs_playback=$(jq -r .demo.playback_url "$endpoints")

# ---------------------------------------------------------------------- OBS

ffmpeg -v error -y -f lavfi -i testsrc2=size=320x180:rate=15 -f lavfi -i sine=frequency=440:sample_rate=48000 -t 10 \
  -c:v libx264 -preset ultrafast -pix_fmt yuv420p -c:a aac "$work/clip.mp4" </dev/null

start_display() {
  # shellcheck disable=SC2016 # the inner shell is to expand it
  start display bash -c 'exec Xvfb -displayfd 3 -screen 0 1024x700x24 -nolisten tcp 3>"$1"' _ "$work/display"
  within 20 test -s "$work/display" || return 1
  display=:$(cat "$work/display")
}

# obs_configure FOLDER SERVER KEY: what OBS's settings and a small scene would have written. Encoder settings, and with
# them the keyframe interval ("auto": x264's 250 frames), stay as OBS has them; only picture and bitrate are small.
obs_configure() {
  local root=$1/obs-studio profile=$1/obs-studio/basic/profiles/interop
  mkdir -p "$profile" "$root/basic/scenes"
  # FirstRun: true says that the first run has been; LastVersion 29.0.0 keeps "what is new" away; ConfirmOnExit: false lets
  # SIGINT end it while it streams.
  cat >"$root/global.ini" <<'INI'
[General]
FirstRun=true
Pre19Defaults=false
Pre21Defaults=false
Pre23Defaults=false
Pre24.1Defaults=false
EnableAutoUpdates=false
InfoIncrement=1000
LastVersion=486539264
ConfirmOnExit=false

[Basic]
Profile=interop
ProfileDir=interop
SceneCollection=interop
SceneCollectionFile=interop
ConfigOnNewProfile=true

[OBSWebSocket]
FirstLoad=false
ServerEnabled=false
INI
  cat >"$profile/basic.ini" <<'INI'
[General]
Name=interop

[Output]
Mode=Simple

[SimpleOutput]
VBitrate=600
ABitrate=96

[Video]
BaseCX=640
BaseCY=360
OutputCX=640
OutputCY=360
FPSType=0
FPSCommon=30

[Audio]
SampleRate=48000
ChannelSetup=Stereo
INI
  jq -n --arg server "$2" --arg key "$3" \
    '{type: "rtmp_custom", settings: {$server, $key, use_auth: false, bwtest: false}}' >"$profile/service.json"
  jq -n --arg clip "$work/clip.mp4" '
    def item(name; id; x; y): {name: name, id: id, visible: true, locked: false, rot: 0, align: 5,
      pos: {x: x, y: y}, scale: {x: 1, y: 1}, bounds: {x: 0, y: 0}, bounds_type: 0, bounds_align: 0,
      crop_left: 0, crop_top: 0, crop_right: 0, crop_bottom: 0};
    {name: "interop", current_scene: "Scene", current_program_scene: "Scene", scene_order: [{name: "Scene"}],
     current_transition: "Cut", transition_duration: 300,
     sources: [
       {id: "color_source", versioned_id: "color_source_v3", name: "Colour",
        settings: {color: 4286611456, width: 640, height: 360}},
       {id: "ffmpeg_source", name: "Clip", settings: {local_file: $clip, is_local_file: true, looping: true}},
       {id: "text_ft2_source", versioned_id: "text_ft2_source_v2", name: "Words",
        settings: {text: "Headwater interop", font: {face: "DejaVu Sans", size: 48, style: "Book", flags: 0}}},
       {id: "scene", name: "Scene", settings: {custom_size: false, id_counter: 3,
        items: [item("Colour"; 1; 0; 0), item("Clip"; 2; 160; 60), item("Words"; 3; 40; 280)]}}]}' \
    >"$root/basic/scenes/interop.json"
}

# start_obs NAME SERVER KEY: an OBS of its own that begins to stream at once.
start_obs() {
  local home=$work/$1.home
  mkdir -p "$home/run" && chmod 700 "$home/run"
  obs_configure "$home/config" "$2" "$3"
  start "$1" env DISPLAY="$display" HOME="$home" XDG_CONFIG_HOME="$home/config" XDG_RUNTIME_DIR="$home/run" \
    LIBGL_ALWAYS_SOFTWARE=1 obs --multi --startstreaming --minimize-to-tray --disable-missing-files-check
}
last_session_ended() { tail -1 "$gateway" | grep -q "ended: $1"; }
# leave NAME: on SIGINT OBS ends the stream as its button does. The broadcast is stopped too, so that the next case does not
# fall into its reconnect window.
leave() {
  end "$1" INT
  within 5 last_session_ended 'encoder ended the stream'
  check 'OBS ends its stream properly' "$(tail -1 "$gateway" | grep -oE 'ended: .*' | sed 's/ session=.*//')" \
    last_session_ended 'encoder ended the stream'
  call POST "/v1/streams/$obs_stream/stop" >/dev/null
  within 10 is "$obs_stream" offline
}

# ------------------------------------------------------------------ players

# decode CASE URL SECONDS FPS: ffmpeg reads the first picture and sound; errors and missing frames fail.
decode() {
  local case=$1 url=$2 seconds=$3 fps=$4 frames errors
  timeout -k 5 60 ffmpeg -nostdin -hide_banner -v error -nostats -progress "$work/decode.progress" -i "$url" \
    -t "$seconds" -map 0:v:0 -map 0:a:0 -f null - 2>"$work/decode.log"
  local code=$?
  frames=$(grep -a '^frame=' "$work/decode.progress" 2>/dev/null | tail -1 | cut -d= -f2)
  errors=$(wc -l <"$work/decode.log")
  check "$case" "${frames:-0} frames of $seconds s at $fps fps, $errors error lines, exit $code" \
    test "$code" = 0 -a "$errors" = 0 -a "${frames:-0}" -ge $((seconds * fps - 2)) -a "${frames:-0}" -le $((seconds * fps + 2))
}

play_mpv() {
  local code last position dropped
  # shellcheck disable=SC2016 # mpv is to expand it
  timeout -k 5 40 mpv --no-config --vo=null --ao=null --length=8 --msg-level=all=warn,statusline=status \
    --term-status-msg='at ${=time-pos} dropped ${decoder-frame-drop-count}+${frame-drop-count}' "$1" \
    >"$work/mpv.log" 2>&1 </dev/null
  code=$?
  last=$(tr '\r' '\n' <"$work/mpv.log" | grep -aoE 'at [0-9.]+ dropped [0-9]+\+[0-9]+' | tail -1)
  read -r _ position _ dropped <<<"$last"
  check "mpv plays" "exit $code, ${last:-nothing played}" \
    test "$code" = 0 -a "${position%.*}" -ge 7 -a "${dropped:-}" = 0+0
}

# play_gstreamer NAME CASE PIPELINE…: twelve seconds; at least eight of them must have been shown.
play_gstreamer() {
  local name=$1 case=$2 log=$work/gst-$1.log rendered dropped errors; shift 2
  timeout -s INT -k 5 13 gst-launch-1.0 -v "$@" >"$log" 2>&1 </dev/null
  read -r rendered dropped < <(grep -aoE 'rendered: [0-9]+, dropped: [0-9]+' "$log" | tail -1 | tr -dc '0-9 \n')
  errors=$(grep -acE '^(ERROR|WARNING)' "$log")
  check "$case" "${rendered:-0} frames shown, ${dropped:-0} dropped, $errors errors" \
    test "${rendered:-0}" -ge 200 -a "${dropped:-0}" -le 5 -a "$errors" = 0
}
play_gstreamer_3() {
  play_gstreamer playbin3 'GStreamer playbin3 plays (hlsdemux2)' playbin3 uri="$1" audio-sink=fakesink \
    video-sink='fpsdisplaysink text-overlay=false video-sink=fakesink fps-update-interval=1000'
}
# The older demuxer without playbin: gst-launch pauses playbin whenever five seconds are not buffered, which a live stream never
# has, also with playlists that ffmpeg writes.
play_gstreamer_hlsdemux() {
  play_gstreamer hlsdemux 'GStreamer hlsdemux follows' souphttpsrc location="$1" ! hlsdemux name=d \
    d.src_0 ! queue ! decodebin ! fpsdisplaysink text-overlay=false sync=false video-sink=fakesink fps-update-interval=1000 \
    d.src_1 ! queue ! decodebin ! fakesink sync=false
}

play_streamlink() {
  local code found
  timeout -k 5 60 streamlink --hls-duration 8 --force -o "$work/streamlink.ts" "$1" best >"$work/streamlink.log" 2>&1 </dev/null
  code=$?
  found=$(ffprobe -v error -show_entries stream=codec_name:format=duration -of json "$work/streamlink.ts" 2>&1 |
    jq -r '"\([.streams[].codec_name] | sort | join("+")) \(.format.duration | tonumber | floor) s"' 2>/dev/null)
  check 'streamlink records' "exit $code, ${found:-no file}; $(line streamlink 'Available streams' | sed 's/.*Available/offered/')" \
    grep -qE '^aac\+h264 ([5-9]|1[0-9]) s$' <<<"$found"
}

# VLC refuses to run as root; any other user will do.
play_vlc() {
  local as=() home=$work/vlc.home shown lost
  mkdir -p "$home"
  if [ "$(id -u)" = 0 ]; then as=(runuser -u nobody --); chown nobody "$home"; fi
  { sleep 10; echo stats; sleep 1; echo quit; } |
    timeout -k 5 30 "${as[@]}" env -u DISPLAY HOME="$home" cvlc -I oldrc --rc-fake-tty --vout dummy --aout dummy "$1" \
      >"$work/vlc.log" 2>&1
  shown=$(grep -aE 'frames displayed' "$work/vlc.log" | tail -1 | tr -dc 0-9)
  lost=$(grep -aE 'frames lost' "$work/vlc.log" | tail -1 | tr -dc 0-9)
  check 'VLC plays' "${shown:-0} frames shown, ${lost:-?} lost" test "${shown:-0}" -ge 150 -a "${lost:-99}" -le 10
}

# play_browser PLAYER: as it is, on a page of another origin.
play_browser() {
  local player=$1 code seen
  seen=$(timeout -k 5 100 node "$(dirname "$0")/../tests/browser/bare.mjs" --url "$2" --player "$player" --seconds 8 2>&1)
  code=$?
  check "$player plays (Chromium)" "exit $code, $(head -1 <<<"$seen")" test "$code" = 0
}

# judge URL PROFILE: what a profile is about must be there, or its rules are broken.
judge() {
  local code seen
  seen=$("$(dirname "$headwater")/headwater-check" "$1" --profile "$2" --watch 8 --decode 2>&1)
  code=$?
  check 'headwater-check finds no broken rule' "exit $code, $(tail -1 <<<"$seen") $(grep -aE '^(FAIL|MISS)' <<<"$seen" | cut -c1-60)" test "$code" = 0
}

# -------------------------------------------------------------------- cases

case_obs_goes_live() {
  start_obs obs "$rtmp" "$obs_key"
  within 40 is "$obs_stream" live
  check "OBS $(obs --version 2>/dev/null | tail -1 | grep -oE '[0-9]+\.[0-9.]+' | head -1) goes live" \
    "status $(status_of "$obs_stream"); $(line obs 'Connection to rtmp')" is "$obs_stream" live
  within 10 plays "$obs_playback" EXT-X-STREAM-INF
  decode 'its stream plays (ffmpeg)' "$obs_playback" 8 30
}

case_wrong_key() {
  start_obs obs-wrong-key "$rtmp" not-a-key
  within 40 said obs-wrong-key 'Connection to rtmp.* failed'
  check 'OBS with a wrong key is told why' "$(line obs-wrong-key 'NetStream.Publish')" \
    said obs-wrong-key 'NetStream.Publish.BadName \(.*stream key'
  end obs-wrong-key INT
}

case_stopped() {
  local before; before=$(broadcast_of "$obs_stream")
  call POST "/v1/streams/$obs_stream/stop" >/dev/null
  within 15 said obs 'Reconnecting in'
  within 30 is_live_in_another "$obs_stream" "$before"
  check 'OBS comes back after POST .../stop' "$(line obs 'Reconnecting in'); status $(status_of "$obs_stream"), a new broadcast" \
    is_live_in_another "$obs_stream" "$before"
  within 10 plays "$obs_playback" "$(broadcast_of "$obs_stream")"
  decode 'the new broadcast plays (ffmpeg)' "$obs_playback" 6 30
  leave obs
}

start_relay() {
  local gateway_address=${rtmp#rtmp://}
  start relay socat "TCP-LISTEN:$relay_port,bind=127.0.0.1,fork,reuseaddr" "TCP:${gateway_address%/live}"
}

# The network between OBS and us goes away and comes back.
case_link_drops() {
  local before after seen media cuts
  start_relay
  start_obs obs-relayed "rtmp://127.0.0.1:$relay_port/live" "$obs_key"
  within 40 is "$obs_stream" live
  before=$(broadcast_of "$obs_stream")
  sleep 4
  end relay KILL
  within 15 is "$obs_stream" reconnecting; seen=$(status_of "$obs_stream")
  # One attempt of OBS finds nobody, as in real life.
  within 15 said obs-relayed 'Connection to rtmp.* failed'
  start_relay
  within 40 is "$obs_stream" live
  after=$(broadcast_of "$obs_stream")
  check 'OBS comes back after its link dropped' "$seen, then $(status_of "$obs_stream"); same broadcast: $([ "$before" = "$after" ] && echo yes || echo no)" \
    test "$seen" = reconnecting -a "$before" = "$after" -a "$(status_of "$obs_stream")" = live
  sleep 8
  media=${obs_playback%/*}/$(curl -sf -m 5 "$obs_playback" | grep -E '^[^#].*p\.m3u8' | head -1)
  curl -sf -m 5 "$media" >"$work/relayed.m3u8"
  cuts=$(grep -c '^#EXT-X-DISCONTINUITY$' "$work/relayed.m3u8")
  check 'its playlist goes on with a discontinuity' "$cuts discontinuity, $(grep -c '^#EXT-X-GAP$' "$work/relayed.m3u8") gaps" \
    test "$cuts" = 1
  decode 'it plays on (ffmpeg)' "$obs_playback" 6 30
}

# OBS dies while its connection hangs half-open, and its owner starts it again.
case_takeover() {
  local before count child
  before=$(broadcast_of "$obs_stream")
  count=$(published)
  for child in $(pgrep -P "${running[relay]}"); do kill -STOP "$child"; done
  end obs-relayed KILL
  start_obs obs-again "$rtmp" "$obs_key"
  within 40 published_more_than "$count"
  within 20 is "$obs_stream" live
  sleep 4
  check 'a new OBS takes over from a hung connection' \
    "status $(status_of "$obs_stream"), same broadcast: $([ "$before" = "$(broadcast_of "$obs_stream")" ] && echo yes || echo no)" \
    test "$(broadcast_of "$obs_stream")" = "$before" -a "$(status_of "$obs_stream")" = live
  decode 'it plays on (ffmpeg)' "$obs_playback" 6 30
  end relay KILL
  leave obs-again
}

# case_players LATENCY BASE: the same clip for every player, with the stream's setting `latency`; BASE is where they find the
# edge.
case_players() {
  local latency=$1 base=$2 made stream key playback
  made=$(call POST /v1/streams -d "{\"name\":\"Interop players\",\"settings\":{\"latency\":\"$latency\"}}")
  stream=$(jq -r .id <<<"$made"); key=$(jq -r .stream_key.value <<<"$made"); playback=$(jq -r .playback_url <<<"$made")
  playback=$base${playback#"$edge"}
  start publisher ffmpeg -nostdin -hide_banner -loglevel warning -re -f lavfi -i testsrc2=size=320x180:rate=25 \
    -f lavfi -i sine=frequency=440:sample_rate=48000 -c:v libx264 -preset ultrafast -g 50 -b:v 300k -pix_fmt yuv420p \
    -c:a aac -b:a 96k -f flv "$rtmp/$key"
  within 30 is "$stream" live || { fail "ffmpeg goes live, latency $latency" "status $(status_of "$stream")"; return; }
  pass "ffmpeg goes live, latency $latency" "testsrc2 320x180, 25 fps; watched at $base"
  # Three segments behind the live edge is where most players begin.
  sleep 8
  decode 'ffmpeg plays' "$playback" 8 25
  play_mpv "$playback"
  play_gstreamer_3 "$playback"
  play_gstreamer_hlsdemux "$playback"
  play_streamlink "$playback"
  play_vlc "$playback"
  play_browser hls.js "$playback"
  play_browser shaka "$playback"
  judge "$playback" "$([ "$latency" = low ] && echo low-latency || echo watched)"
  check 'the publisher had nothing to complain about' "$(wc -l <"$work/publisher.log") lines" test ! -s "$work/publisher.log"
  end publisher INT
}

# ------------------------------------------------------- players and a lost region

# Each watches in the background for as long as it is let; shown_NAME is how much it has shown: pictures where the program
# counts them, else what grows with them.
readonly WATCHING=(ffmpeg mpv playbin3 hlsdemux streamlink vlc)
# These do not know EXT-X-GAP, and ask for what is missing again and again instead (docs/failures.md, "Known limits").
readonly STANDING=' playbin3 hlsdemux streamlink '
# Two seconds of pictures are more than what any of them may have had left; streamlink writes 48 KiB in that time.
declare -rA RESUMED=([ffmpeg]=50 [mpv]=20 [playbin3]=50 [hlsdemux]=50 [streamlink]=49152 [vlc]=50)
# Of new media, until it is shown.
readonly MAX_RESUME_SECONDS=10

watch() {
  local url=$1 as=() home=$work/watch-vlc.home
  start watch-ffmpeg ffmpeg -nostdin -hide_banner -v warning -nostats -progress "$work/watch-ffmpeg.progress" -re -i "$url" \
    -map 0:v:0 -map 0:a:0 -f null -
  # shellcheck disable=SC2016 # mpv is to expand it
  start watch-mpv mpv --no-config --vo=null --ao=null --msg-level=all=warn,statusline=status \
    --term-status-msg='at ${=time-pos}' "$url"
  start watch-playbin3 gst-launch-1.0 -v playbin3 uri="$url" audio-sink=fakesink \
    video-sink='fpsdisplaysink text-overlay=false video-sink=fakesink fps-update-interval=500'
  start watch-hlsdemux gst-launch-1.0 -v souphttpsrc location="$url" ! hlsdemux name=d \
    d.src_0 ! queue ! decodebin ! fpsdisplaysink text-overlay=false sync=false video-sink=fakesink fps-update-interval=500 \
    d.src_1 ! queue ! decodebin ! fakesink sync=false
  start watch-streamlink streamlink --force -o "$work/watch-streamlink.ts" "$url" best
  mkdir -p "$home"
  if [ "$(id -u)" = 0 ]; then as=(runuser -u nobody --); chown nobody "$home"; fi
  # shellcheck disable=SC2016 # the inner shell is to expand it
  start watch-vlc bash -c 'while sleep 0.5; do echo stats; done | "$@"' _ "${as[@]}" env -u DISPLAY HOME="$home" \
    cvlc -I oldrc --rc-fake-tty --vout dummy --aout dummy "$url"
}
newest() { grep -aoE "$2" "$work/watch-$1" 2>/dev/null | tail -1 | tr -dc 0-9; }
shown_ffmpeg() { newest ffmpeg.progress '^frame=[0-9]+'; }
shown_mpv() { tr '\r' '\n' <"$work/watch-mpv.log" | grep -aoE 'at [0-9.]+' | sort -u | wc -l; }
shown_playbin3() { newest playbin3.log 'rendered: [0-9]+'; }
shown_hlsdemux() { newest hlsdemux.log 'rendered: [0-9]+'; }
shown_streamlink() { stat -c %s "$work/watch-streamlink.ts" 2>/dev/null; }
shown_vlc() { newest vlc.log 'frames displayed *: *[0-9]+'; }

# What each has shown at first is more than what comes with opening.
all_have_begun() {
  local name seen; for name in "${WATCHING[@]}"; do
    seen=$("shown_$name"); [ "${seen:-0}" -ge "${RESUMED[$name]}" ] || return 1
  done
}
counts() { local name; for name in "${WATCHING[@]}"; do echo "$name $("shown_$name")"; done; }
# Whether nobody has shown anything for two seconds.
all_stand_still() { local before; before=$(counts); sleep 2; [ "$before" = "$(counts)" ]; }

# case_region_lost LATENCY: all of region A goes while these players play, and the encoder comes back at B once they stand still.
case_region_lost() {
  local latency=$1 made stream key playback media name since seen other_rtmp
  local -A before=() after=()
  other_rtmp=$(jq -r '.regions[1].rtmp' "$endpoints")
  made=$(call POST /v1/streams -d "{\"name\":\"Interop region\",\"settings\":{\"latency\":\"$latency\"}}")
  stream=$(jq -r .id <<<"$made"); key=$(jq -r .stream_key.value <<<"$made"); playback=$(jq -r .playback_url <<<"$made")
  encode() {
    start publisher ffmpeg -nostdin -hide_banner -loglevel warning -re -f lavfi -i testsrc2=size=320x180:rate=25 \
      -f lavfi -i sine=frequency=440:sample_rate=48000 -c:v libx264 -preset ultrafast -g 50 -b:v 300k -pix_fmt yuv420p \
      -c:a aac -b:a 96k -f flv "$1/$key"
  }
  encode "$rtmp"
  within 30 is "$stream" live || { fail "before a region is lost, latency $latency" "status $(status_of "$stream")"; return; }
  media=${playback%/*}/$(curl -sf -m 5 "$playback" | grep -E '^[^#].*p\.m3u8' | head -1)
  sleep 8
  watch "$playback"
  within 30 all_have_begun || fail 'all players play' "$(counts | tr '\n' ' ')"
  sleep 4
  "$headwater" --data "$work/data" ctl region stop a >/dev/null || fail 'region A is lost' 'ctl failed'
  end publisher INT
  within 40 all_stand_still || fail 'all players have shown what they had' "$(counts | tr '\n' ' ')"
  for name in "${WATCHING[@]}"; do before[$name]=$("shown_$name"); done
  encode "$other_rtmp"
  within 30 listed "$media" "$(jq -r '.regions[1].name' "$endpoints")" || { fail 'new media after a lost region' 'none'; return; }
  since=$(date +%s%N)
  until [ ${#after[@]} = ${#WATCHING[@]} ] || [ $((($(date +%s%N) - since) / 1000000000)) -ge 30 ]; do
    for name in "${WATCHING[@]}"; do
      [ -z "${after[$name]-}" ] || continue
      seen=$("shown_$name")
      [ $((${seen:-0} - ${before[$name]:-0})) -lt "${RESUMED[$name]}" ] || after[$name]=$((($(date +%s%N) - since) / 1000000))
    done
    sleep 0.2
  done
  for name in "${WATCHING[@]}"; do
    seen="$([ -n "${after[$name]-}" ] && echo "${after[$name]} ms after new media" || echo "not within 30 s: $("shown_$name") after ${before[$name]}")"
    if [[ $STANDING = *" $name "* ]]; then
      printf 'KNOWN %-46s %s\n' "$name after a lost region ($latency)" "$seen"
    else
      check "$name goes on after a lost region ($latency)" "$seen" test "${after[$name]:-99999}" -le $((MAX_RESUME_SECONDS * 1000))
    fi
    end "watch-$name" INT
  done
  end publisher INT
  "$headwater" --data "$work/data" ctl region start a >/dev/null
}
# A media playlist that lists media of a region: its bucket is in the address.
listed() { curl -sf -m 5 "$1" | grep -E '^[^#]' | grep -q "\.$2\."; }

wanted() { [[ " ${CASES:-obs players region_lost} " = *" $1 "* ]]; }
if ! wanted obs; then
  :
elif start_display; then
  case_obs_goes_live
  case_wrong_key
  case_stopped
  case_link_drops
  case_takeover
else
  fail 'a display for OBS' 'Xvfb did not start'
fi
if wanted players; then
  case_players low "$edge"
  if start_prefix; then
    case_players standard "http://127.0.0.1:$prefix_port$FOLDER"
    check 'no player asks for anything beside the prefix' "$(sort "$work/beside.log" | uniq -c | head -3)" test ! -s "$work/beside.log"
  else
    fail 'nginx serves the edge under a prefix' "$(tail -1 "$work/prefix.log")"
  fi
fi

# What our own processes had to say beyond INFO, but for the wrong key.
complaints=$(grep -rahE '( WARN | ERROR |"level":"(WARN|ERROR)"|panicked at)' "$work/data/logs" "$work/stack.log" 2>/dev/null |
  grep -vE '"message":"publish denied".*UnknownKey')
check 'no warnings in our logs' "$(printf '%s' "$complaints" | grep -c .) lines" test -z "$complaints"
[ -z "$complaints" ] || printf '%s\n' "$complaints" | cut -c1-240 | head -20

# What is lost is complained of, so this comes last.
if wanted region_lost; then for latency in ${LATENCIES:-standard low}; do case_region_lost "$latency"; done; fi

exit "$failed"
