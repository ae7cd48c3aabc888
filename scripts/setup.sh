#!/usr/bin/env bash
# Installs what the project needs on a new Debian or Ubuntu machine. Quick when nothing is missing.
# Usage: scripts/setup.sh [page|run|deploy|image|test|bench]   (each includes the ones before it; page installs no packages)
set -euo pipefail
cd "$(dirname "$0")/.."
level=${1:-test}

run_packages=(build-essential clang libclang-dev lld pkg-config ffmpeg libavcodec-dev libavfilter-dev libavformat-dev libavutil-dev
  libswresample-dev libswscale-dev fonts-dejavu-core nginx-light util-linux nodejs)
deploy_packages=(python3 python3-venv binutils)
image_packages=(buildah jq mmdebstrap procps tini)
test_packages=(chromium gstreamer1.0-tools gstreamer1.0-plugins-base gstreamer1.0-plugins-good gstreamer1.0-plugins-bad
  gstreamer1.0-plugins-ugly gstreamer1.0-libav openssl curl jq python3-venv)
bench_packages=(libnginx-mod-rtmp python3-pip)

# Each level has what the ones before it have. (No `;&`: macOS has bash 3.2.)
packages=()
add() { packages=(${packages[@]+"${packages[@]}"} "$@"); }
case $level in
  page) ;;
  run) add "${run_packages[@]}" ;;
  deploy) add "${run_packages[@]}" "${deploy_packages[@]}" ;;
  image) add "${run_packages[@]}" "${deploy_packages[@]}" "${image_packages[@]}" ;;
  test) add "${run_packages[@]}" "${deploy_packages[@]}" "${image_packages[@]}" "${test_packages[@]}" ;;
  bench) add "${run_packages[@]}" "${deploy_packages[@]}" "${image_packages[@]}" "${test_packages[@]}" "${bench_packages[@]}" ;;
  *) echo "setup: no such level: $level" >&2; exit 1 ;;
esac

missing=()
for package in ${packages[@]+"${packages[@]}"}; do
  # A program that is there by other means than its package (node from elsewhere) is as good.
  [ "$package" = nodejs ] && command -v node >/dev/null && continue
  dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'install ok installed' || missing+=("$package")
done
if [ ${#missing[@]} -gt 0 ]; then
  echo "setup: installing ${missing[*]}"
  sudo=; [ "$(id -u)" = 0 ] || sudo=sudo
  $sudo apt-get update -qq
  DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y -qq --no-install-recommends ${missing[@]+"${missing[@]}"} >/dev/null
fi

command -v cargo >/dev/null || { echo "setup: Rust is missing; install it from https://rustup.rs (version 1.95 or newer)" >&2; exit 1; }
command -v npm >/dev/null || { echo "setup: npm is missing; install Node.js 18 or newer with npm" >&2; exit 1; }

# The player page: hls.js from npm, served by ourselves.
node_install() {
  local folder=$1 stamp=$1/node_modules/.installed
  if [ ! -e "$stamp" ] || [ "$folder/package-lock.json" -nt "$stamp" ]; then
    (cd "$folder" && npm ci --no-audit --no-fund --loglevel=error)
    touch "$stamp"
  fi
}
node_install web
if [ ! -e web/dist/index.html ] || [ -n "$(find web/src web/build.mjs web/package-lock.json -newer web/dist/index.html 2>/dev/null | head -1)" ]; then
  (cd web && npm run --silent build)
fi
case $level in test | bench) node_install tests/browser ;; esac

# Clones share what cargo has built, and cargo tells by the time of a file whether it has changed: behind another clone's
# build, older files of this one would pass for what was built there.
if [ -n "${CARGO_TARGET_DIR:-}" ] && [ "$(cat "$CARGO_TARGET_DIR/.built-in" 2>/dev/null)" != "$PWD" ]; then
  git ls-files -z -- '*.rs' '*Cargo.toml' functions/openapi.json docs/prices.json 2>/dev/null | xargs -0 touch -c --
  mkdir -p "$CARGO_TARGET_DIR"
  echo "$PWD" >"$CARGO_TARGET_DIR/.built-in"
fi
