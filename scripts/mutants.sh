#!/usr/bin/env bash
# Changes one thing after the other in a crate of the core and looks whether its tests notice: scripts/mutants.sh CRATE [SHARD]
#   CRATE  domain, hls, rtmp or task
#   SHARD  k/n: every n-th mutant, from the k-th on; without, all of them (hours)
# Ends with 1 if fewer than FLOOR (85) of a hundred are noticed. .cargo/mutants.toml says what is left out and why.
set -euo pipefail
cd "$(dirname "$0")/.."
crate=${1:?which crate: domain, hls, rtmp or task}
shard=${2:-}
version=27.1.0
cache=${HEADWATER_CACHE:-$HOME/.cache/headwater}
tool=$cache/tools/mutants-$version
if [ ! -x "$tool/bin/cargo-mutants" ]; then
  echo "mutants: compiling cargo-mutants $version (once, about three minutes)" >&2
  CARGO_TARGET_DIR=$cache/tools/target cargo install --locked --quiet --version "$version" --root "$tool" cargo-mutants
  rm -rf "$cache/tools/target"
fi
PATH=$tool/bin:$PATH

out=${MUTANTS_OUT:-${HEADWATER_ARTIFACTS:-test-artifacts}/mutants-$crate}
mkdir -p "$out"
# A folder of its own for what is built of changed sources, and no debug information: linking is most of the time.
export CARGO_TARGET_DIR=$cache/mutants-target CARGO_PROFILE_DEV_DEBUG=0 CARGO_PROFILE_TEST_DEBUG=0
code=0
cargo mutants --package "headwater-$crate" --jobs 1 --timeout 60 --build-timeout 300 --no-times \
  ${shard:+--shard "$shard" --sharding round-robin} --output "$out" || code=$?
# 2: some were missed; 3: some ran out of time, which is noticing.
case $code in 0 | 2 | 3) ;; *) exit "$code" ;; esac

count() { wc -l <"$out/mutants.out/$1.txt"; }
caught=$(($(count caught) + $(count timeout))) missed=$(count missed)
[ $((caught + missed)) -gt 0 ] || { echo "mutants: none was tried" >&2; exit 1; }
score=$((1000 * caught / (caught + missed)))
echo "mutants: $crate${shard:+, shard $shard}: $caught of $((caught + missed)) noticed, $((score / 10)).$((score % 10)) %"
[ "$score" -ge $((10 * ${FLOOR:-85})) ]
