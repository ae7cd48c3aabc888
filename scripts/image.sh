#!/usr/bin/env bash
# Builds the media container without Docker, without root privileges beyond apt's, and without pulling base images: the
# base file system comes from this machine's own package sources, the binary from this machine's cargo. It takes the same
# Dockerfile as `docker build` does. Only for Debian 12, whose FFmpeg the binary is linked against.
# Usage: scripts/image.sh [image name]
#   PROFILE=release|dev   which build of the binary (dev is stripped of its debug information)
#   IMAGE_STORE=folder    where buildah keeps its images (default: ~/.cache/headwater/images)
set -euo pipefail
cd "$(dirname "$0")/.."
name=${1:-headwater-transcoder:$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -1)}
profile=${PROFILE:-release}
cache=${HEADWATER_CACHE:-$HOME/.cache/headwater}
store=${IMAGE_STORE:-$cache/images}
target=${CARGO_TARGET_DIR:-$cache/target}
runtime=(ca-certificates libavcodec59 libavfilter8 libavformat59 libavutil57 libswresample4 libswscale6 tini)

grep -q '^VERSION_ID="12"' /etc/os-release || { echo "image: this machine is not Debian 12; build with docker: make image" >&2; exit 1; }
work=$(mktemp -d)
build=(buildah --storage-driver vfs --root "$store/root" --runroot "$work/run")
finish() {
  for container in $("${build[@]}" containers --quiet 2>/dev/null); do "${build[@]}" rm "$container" >/dev/null; done
  rm -rf "$work"
}
trap finish EXIT

if [ "$profile" = dev ]; then
  cargo build --locked --workspace --bins
  binary=$target/debug/transcoder
else
  cargo build --locked --release -p headwater-transcoder --bin transcoder
  binary=$target/release/transcoder
fi

# The Dockerfile's stages start from these two instead of public images.
from_files() {
  local container
  container=$("${build[@]}" from scratch)
  "${build[@]}" add --quiet "$container" "$2" / >/dev/null
  "${build[@]}" commit --quiet "$container" "$1" >/dev/null
  "${build[@]}" rm "$container" >/dev/null
}
base=$cache/image-base.tar
if [ ! -e "$base" ] || [ -n "$(find "$base" -mtime +7)" ]; then
  echo "image: making the base file system"
  mmdebstrap --quiet --variant=apt --include="$(IFS=,; echo "${runtime[*]}")" bookworm "${base%.tar}.new.tar"
  mv "${base%.tar}.new.tar" "$base"
fi
mkdir -p "$work/binary"
strip --strip-debug -o "$work/binary/transcoder" "$binary"
from_files localhost/headwater-base:latest "$base"
from_files localhost/headwater-binary:latest "$work/binary"

"${build[@]}" bud --quiet --format docker --isolation=chroot --pull=never --file transcoder/Dockerfile --tag "$name" \
  --build-arg RUST_IMAGE=localhost/headwater-binary:latest --build-arg DEBIAN_IMAGE=localhost/headwater-base:latest \
  --build-arg TRANSCODER=localhost/headwater-binary:latest \
  --build-arg VERSION="${name##*:}" --build-arg REVISION="$(git rev-parse HEAD 2>/dev/null || echo unknown)" . >/dev/null
echo "image: $name in $store"
