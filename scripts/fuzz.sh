#!/usr/bin/env bash
# Fuzzes every target for its share of so many seconds (60), or those that are named: scripts/fuzz.sh [seconds [target…]]
#
# By coverage (libFuzzer, AddressSanitizer) where cargo-fuzz and a nightly toolchain are installed; otherwise, on stable, by
# changing the corpus. The entries are the same. What breaks one is left in fuzz/artifacts or fuzz/libfuzzer/artifacts.
set -euo pipefail
cd "$(dirname "$0")/.."
seconds=${1:-60}
shift || true
read -ra targets <<<"$*"
if [ ${#targets[@]} -eq 0 ]; then
  listed=$(cargo test --locked --quiet --workspace --test fuzz -- --list)
  mapfile -t targets < <(sed -n 's/: test$//p' <<<"$listed")
fi
share=$((seconds / ${#targets[@]}))
[ "$share" -ge 1 ] || share=1

if [ -z "${STABLE:-}" ] && command -v cargo-fuzz >/dev/null && cargo +nightly --version >/dev/null 2>&1; then
  for target in "${targets[@]}"; do
    mkdir -p "fuzz/libfuzzer/corpus/$target"
    HEADWATER_FUZZ_TARGET=$target cargo +nightly fuzz run --fuzz-dir fuzz/libfuzzer any \
      "fuzz/libfuzzer/corpus/$target" "fuzz/corpus/$target" -- -max_total_time="$share" -rss_limit_mb=1024
  done
else
  cargo test --locked --quiet --workspace --test fuzz -- --seconds "$share" "${targets[@]}"
fi
