#!/usr/bin/env bash
# Puts one function's `bootstrap` into ARTIFACTS_DIR; called by `sam build` through the Makefile.
# Usage: scripts/build-function.sh <binary>   with ARTIFACTS_DIR, and optionally
#   ARCHITECTURE  arm64 (default) or x86_64: the template's parameter of the same name
#   PROFILE       release (default) or dev
set -euo pipefail
cd "$(dirname "$0")/.."
binary=${1:?which binary}
: "${ARTIFACTS_DIR:?sam build sets it}"
architecture=${ARCHITECTURE:-arm64}
profile=${PROFILE:-release}
# Amazon Linux 2023, Lambda's provided.al2023.
lambda_glibc=2.34

case $architecture in
  arm64) triple=aarch64-unknown-linux-gnu machine=aarch64 ;;
  x86_64) triple=x86_64-unknown-linux-gnu machine=x86_64 ;;
  *) echo "ARCHITECTURE is arm64 or x86_64, not $architecture" >&2; exit 1 ;;
esac
folder=$profile
[ "$profile" != dev ] || folder=debug

target=${CARGO_TARGET_DIR:-target}
if [ "$(uname -m)" = "$machine" ] && [ "$(uname -s)" = Linux ]; then
  # The whole workspace at once: with fewer packages cargo picks other features and builds the SDKs again.
  cargo build --locked --quiet --profile "$profile" --workspace --bins
  built=$target/$folder/$binary
elif command -v cargo-lambda >/dev/null; then
  flags=(); [ "$profile" = dev ] || flags=(--profile "$profile")
  cargo lambda build --locked --quiet --package headwater-functions --bins --target "$triple" "${flags[@]}"
  built=$target/lambda/$binary/bootstrap
else
  echo "this machine is $(uname -m): to build for $architecture install cargo-lambda (pip install cargo-lambda ziglang), or deploy with ARCHITECTURE=x86_64 from an x86_64 Linux machine" >&2
  exit 1
fi

if command -v objdump >/dev/null; then
  needs=$(objdump -T "$built" | grep -o 'GLIBC_[0-9.]*' | sed 's/GLIBC_//' | sort -V | tail -1)
  if [ "$(printf '%s\n' "$needs" "$lambda_glibc" | sort -V | tail -1)" != "$lambda_glibc" ]; then
    echo "$binary needs glibc $needs, Lambda has $lambda_glibc: build with cargo-lambda (pip install cargo-lambda ziglang) or on an older distribution" >&2
    exit 1
  fi
fi
install -D -m 755 "$built" "$ARTIFACTS_DIR/bootstrap"
if [ "$profile" = dev ] && command -v strip >/dev/null; then strip --strip-debug "$ARTIFACTS_DIR/bootstrap"; fi
# The deployment function carries the player page and puts it into the bucket.
if [ "$binary" = deployment ]; then
  [ -e web/dist/index.html ] || { echo "the player page is not built; run: make setup" >&2; exit 1; }
  mkdir -p "$ARTIFACTS_DIR/site" && cp -R web/dist/. "$ARTIFACTS_DIR/site/"
fi
