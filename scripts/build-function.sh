#!/usr/bin/env bash
# Puts one function's `bootstrap` into ARTIFACTS_DIR; called by `sam build` through the Makefile. Works with the bash and the
# tools of macOS as well. Without ARCHITECTURE the functions are built for what samconfig.toml deploys, so that plain
# `sam build` and `sam deploy` agree.
# Usage: scripts/build-function.sh <binary>   with ARTIFACTS_DIR, and optionally
#   ARCHITECTURE  arm64 or x86_64: the template's parameter of the same name
#   PROFILE       release (default) or dev
set -euo pipefail
cd "$(dirname "$0")/.."
binary=${1:?which binary}
: "${ARTIFACTS_DIR:?sam build sets it}"
profile=${PROFILE:-release}
# Amazon Linux 2023, Lambda's provided.al2023.
lambda_glibc=2.34

fail() {
  echo "$1" >&2
  exit 1
}
# How to get cargo-lambda with zig; pip refuses to write into the system's Python (PEP 668).
get_cargo_lambda="install cargo-lambda and zig: on macOS 'brew install cargo-lambda/cargo-lambda/cargo-lambda'; elsewhere \
'python3 -m venv ~/.headwater-tools && ~/.headwater-tools/bin/pip install cargo-lambda ziglang' and put ~/.headwater-tools/bin into PATH"

deploys=$(sed -n 's/.*"Architecture=\([a-z0-9_]*\)".*/\1/p' samconfig.toml | sort -u)
architecture=${ARCHITECTURE:-${deploys:-arm64}}
case $architecture in
  arm64) triple=aarch64-unknown-linux-gnu machine=aarch64 ;;
  x86_64) triple=x86_64-unknown-linux-gnu machine=x86_64 ;;
  *) fail "ARCHITECTURE is arm64 or x86_64, not $architecture (samconfig.toml must say one everywhere)" ;;
esac

# What would be found missing only after minutes of compiling: first.
command -v cargo >/dev/null || fail "Rust is missing; install it from https://rustup.rs"
[ -e web/dist/index.html ] || scripts/setup.sh page >&2
native=no
if [ "$(uname -m)" = "$machine" ] && [ "$(uname -s)" = Linux ]; then native=yes; fi
if ! command -v cargo-lambda >/dev/null && [ "$native" = no ]; then
  here=x86_64
  case $(uname -m) in arm64 | aarch64) here=arm64 ;; esac
  fail "this machine ($(uname -s) $here) cannot build for $architecture by itself; $get_cargo_lambda. Or, on Linux, deploy for $here: \
change Architecture in samconfig.toml, or use make build deploy ARCHITECTURE=$here"
fi

target=${CARGO_TARGET_DIR:-target}
if [ "$profile" = dev ]; then
  # The tests' build; the whole workspace, for with fewer packages cargo picks other features and builds the SDKs again.
  cargo build --locked --quiet --workspace --bins
  built=$target/debug/$binary
else
  # The functions alone: no FFmpeg, no clang; and no linker but what is there.
  unset RUSTFLAGS
  if command -v cargo-lambda >/dev/null; then
    # Links against an old glibc, whatever this machine has.
    cargo lambda build --locked --quiet --release --package headwater-functions --bins --target "$triple"
    built=$target/lambda/$binary/bootstrap
  else
    cargo build --locked --quiet --release --package headwater-functions --bins
    built=$target/release/$binary
  fi
fi

if command -v objdump >/dev/null; then
  needs=$(objdump -T "$built" 2>/dev/null | sed -n 's/.*GLIBC_\([0-9][0-9.]*\).*/\1/p' | awk -F. '{ printf "%d %d %s\n", $1, $2, $0 }' |
    sort -k1,1n -k2,2n | tail -1 | cut -d' ' -f3)
  oldest=$(printf '%s\n%s\n' "$needs" "$lambda_glibc" | awk -F. '{ printf "%d %d %s\n", $1, $2, $0 }' | sort -k1,1n -k2,2n | tail -1 | cut -d' ' -f3)
  [ -z "$needs" ] || [ "$oldest" = "$lambda_glibc" ] || [ "$needs" = "$lambda_glibc" ] ||
    fail "$binary needs glibc $needs, Lambda has $lambda_glibc; $get_cargo_lambda"
fi
mkdir -p "$ARTIFACTS_DIR"
cp "$built" "$ARTIFACTS_DIR/bootstrap"
chmod 755 "$ARTIFACTS_DIR/bootstrap"
if [ "$profile" = dev ] && command -v strip >/dev/null; then strip --strip-debug "$ARTIFACTS_DIR/bootstrap"; fi
# The deployment function carries the player page and puts it into the bucket.
if [ "$binary" = deployment ]; then
  mkdir -p "$ARTIFACTS_DIR/site"
  cp -R web/dist/. "$ARTIFACTS_DIR/site/"
fi
