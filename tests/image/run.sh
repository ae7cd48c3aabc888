#!/usr/bin/env bash
# Builds the container image (with the tests' build of the binary) and looks at it from outside: configuration, files,
# and the programs running inside its file system, read-only, without privileges, as process 1. Takes about a minute.
# Needs to be root, or allowed to make namespaces; says so and stops if it may not.
# Usage: tests/image/run.sh      PROFILE=release for the release build
set -euo pipefail
cd "$(dirname "$0")/../.."
# Uncompressed, in MB, without our own program: mostly FFmpeg's codecs. A release build of ours adds less than 25, a
# build of the tests twice that. libavfilter (deinterlacing) and what Debian links it with are 55 of it.
readonly MAX_SIZE=240
readonly UID_INSIDE=10001

work=$(mktemp -d "${TMPDIR:-/tmp}/headwater-image.XXXXXX")
export IMAGE_STORE=$work/images
image=headwater-transcoder:test
buildah=(buildah --storage-driver vfs --root "$IMAGE_STORE/root" --runroot "$work/run")
container='' gateway=''
finish() {
  local code=$?
  trap - EXIT
  [ -z "$gateway" ] || kill -KILL "$gateway" 2>/dev/null || true
  [ -z "$container" ] || "${buildah[@]}" umount "$container" >/dev/null 2>&1 || true
  [ "$code" = 0 ] || cat "$work"/*.log 2>/dev/null || true
  rm -rf "$work"
  exit "$code"
}
trap finish EXIT

passed=0
ok() { passed=$((passed + 1)); echo "ok  $*"; }
fail() { echo "FAILED  $*" >&2; exit 1; }
expect() { [ "$2" = "$3" ] || fail "$1: $2, not $3"; ok "$1"; }

unshare --mount --pid --fork true 2>"$work/unshare.log" || fail "this user may not make namespaces; run as root"

# What `docker build` compiles: the files that .dockerignore lets through, with the compile stage's own command.
python3 tests/deploy/context.py "$work/context"
stage=$(sed -n 's/.*\(cargo build --locked .*--bin transcoder\).*/\1/p' transcoder/Dockerfile)
[ -n "$stage" ] || fail "the Dockerfile's compile stage builds no transcoder"
(cd "$work/context" && CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-target}/compile-stage ${stage/build --locked --release/check --locked --quiet})
ok "the compile stage finds all it needs in the build context"

PROFILE=${PROFILE:-dev} scripts/image.sh "$image"

# ---------------------------------------------------------------- configuration
"${buildah[@]}" inspect --type image "$image" | jq .Docker >"$work/config.json"
config() { jq -c ".config.$1" "$work/config.json"; }
expect "it runs as nobody in particular" "$(config User)" '"10001:10001"'
expect "an init is process 1" "$(config Entrypoint)" '["/usr/bin/tini","-s","--","/usr/local/bin/transcoder"]'
expect "only /spool is a volume" "$(config Volumes)" '{"/spool":{}}'
expect "it says how it is" "$(config Healthcheck.Test)" '["CMD","/usr/local/bin/transcoder","health"]'
expect "it is stopped by SIGTERM" "$(config StopSignal)" '"SIGTERM"'
[ "$(config 'Labels["org.opencontainers.image.licenses"]')" = '"(MIT OR Apache-2.0) AND GPL-2.0-or-later"' ] || fail "licences"
ok "its licences are named"

# ---------------------------------------------------------------- files
container=$("${buildah[@]}" from --pull-never "$image")
root=$("${buildah[@]}" mount "$container")
ours=$(($(stat -c %s "$root/usr/local/bin/transcoder") / 1000000))
size=$(($(du -sb "$root" | cut -f1) / 1000000 - ours))
[ "$size" -le "$MAX_SIZE" ] || fail "$size MB, more than $MAX_SIZE"
ok "$size MB uncompressed, and $ours MB of ours"
expect "no program changes its user" "$(find "$root" -xdev -perm /6000 | wc -l)" 0
expect "its user owns only /spool" "$(find "$root" -xdev \( -uid "$UID_INSIDE" -o -gid "$UID_INSIDE" \) -printf '/%P ')" '/spool '
expect "everybody may write nowhere" "$(find "$root" -xdev -perm -o+w ! -type l | wc -l)" 0
expect "there is no shell" "$(find "$root" -xdev \( -name sh -o -name bash -o -name busybox \) | wc -l)" 0
[ "$(find "$root/usr/share/doc" -name copyright | wc -l)" -gt 30 ] || fail "licences of the packages are missing"
ok "the licences of $(find "$root/usr/share/doc" -name copyright | wc -l) packages are inside"
[ -s "$root/etc/ssl/certs/ca-certificates.crt" ] || fail "no certificate authorities"
ok "certificate authorities are inside"

# ---------------------------------------------------------------- programs, as Fargate runs them
# inside [VARIABLE=value…] -- ARGUMENTS…: the image's root, read-only, its own processes, /spool writable for its user.
inside() {
  local variables=()
  while [ "$1" != -- ]; do variables+=("$1"); shift; done
  shift
  # shellcheck disable=SC2016 # expanded by the inner shell
  exec unshare --mount --pid --fork --kill-child bash -euc '
    root=$1 user=$2; shift 2
    mount --bind "$root" "$root"
    mount -o remount,bind,ro "$root"
    mount -t tmpfs -o size=64m,uid=$user,gid=$user,mode=0755 spool "$root/spool"
    exec env -i PATH=/usr/local/bin "$@"
  ' inside "$root" "$UID_INSIDE" "${variables[@]}" \
    "$(command -v setpriv)" --no-new-privs "$(command -v chroot)" --userspec="$UID_INSIDE:$UID_INSIDE" --groups= "$root" "$@"
}
expect "the binary starts" "$(inside -- /usr/local/bin/transcoder --version | head -1)" "headwater-transcoder $(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -1)"
(inside -- /usr/local/bin/transcoder check) >"$work/check.log" 2>&1 || fail "the codecs are not all there"
ok "it decodes, scales, encodes and packages"

read -r rtmp source < <(python3 -c '
import socket
held = [socket.socket() for _ in range(2)]
for one in held: one.bind(("127.0.0.1", 0))
print(*[one.getsockname()[1] for one in held])')
settings=(RTMP_LISTEN="127.0.0.1:$rtmp" SOURCE_LISTEN="127.0.0.1:$source" SOURCE_URL="http://127.0.0.1:$source" SPOOL_DIR=/spool
  SIGNING_KEY=test API_URL=http://127.0.0.1:9 AWS_REGION=us-east-1 AWS_EC2_METADATA_DISABLED=true
  AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test)
if (inside "${settings[@]}" -- /usr/local/bin/transcoder health) >"$work/early.log" 2>&1; then fail "healthy before it runs"; fi
ok "without a gateway the health check fails"
(inside "${settings[@]}" -- /usr/bin/tini -s -- /usr/local/bin/transcoder gateway) >"$work/gateway.log" 2>&1 &
gateway=$!
healthy=
for _ in $(seq 150); do
  if (inside "${settings[@]}" -- /usr/local/bin/transcoder health) >"$work/health.log" 2>&1; then healthy=yes; break; fi
  kill -0 "$gateway" 2>/dev/null || fail "the gateway ended"
  sleep 0.2
done
[ -n "$healthy" ] || fail "the gateway never became healthy"
ok "the gateway runs on a read-only file system: $(tail -1 "$work/health.log")"
(exec 3<>"/dev/tcp/127.0.0.1/$rtmp") || fail "nobody listens for RTMP"
ok "encoders can connect"

# The gateway's unshare waits for its child, which is process 1 inside.
first=$(pgrep -P "$gateway" | head -1)
expect "its process 1 is tini" "$(cat "/proc/$first/comm")" tini
expect "it has no capabilities" "$(awk '/^CapEff/ {print $2}' "/proc/$(pgrep -P "$first" | head -1)/status")" 0000000000000000
kill -TERM "$first"
for _ in $(seq 150); do kill -0 "$gateway" 2>/dev/null || break; sleep 0.2; done
if kill -0 "$gateway" 2>/dev/null; then fail "SIGTERM did not end it"; fi
code=0
wait "$gateway" || code=$?
gateway=''
expect "SIGTERM ends it cleanly" "$code" 0
grep -q 'gateway ends' "$work/gateway.log" || fail "it did not say goodbye"
ok "it says goodbye"
echo "$passed passed, 0 failed"
