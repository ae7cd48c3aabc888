#!/usr/bin/env bash
# Runs the corpus of odd sources (transcoder/tests/sources) and makes docs/sources.md of what came of each.
# HEADWATER_SOURCE=text runs only the cases with that text in their names, and leaves the file alone.
set -euo pipefail
cd "$(dirname "$0")/.."
export HEADWATER_ARTIFACTS=${HEADWATER_ARTIFACTS:-$PWD/test-artifacts}
rows=$HEADWATER_ARTIFACTS/sources
rm -rf "$rows"
failed=0
cargo test --locked --workspace --test sources -- --nocapture || failed=$?
[ -z "${HEADWATER_SOURCE:-}" ] || exit $failed

{
  cat <<'END'
# Odd sources

What encoders really send, and what viewers get of it.
Each case goes over RTMP into the real gateway, through the source link into the real task with the real engine, and what was committed is judged by the ffmpeg command: every picture carries its number, and a beep at each whole second tells how far sound and pictures are apart.
"Told" is what the encoder (RTMP status) or the API (`problem`) must say: a source either plays right, or somebody is told in words which track cannot be used and why.
`known limit` cases are not right yet; the test holds that they are still so, so that a fix shows up.

`make sources` runs all cases and writes this file; `HEADWATER_SOURCE=text make sources` runs those with the text in their names.
The cases are in `transcoder/tests/sources/families`; they run in every `cargo test` (`--test sources`), a dozen of them end to end as well (`--test e2e -- odd`).
A case is a line or two: a name, a clause or a report, how many pictures and seconds of sound must come, and a source, which is generated.
END
  for family in "$rows"/*.md; do
    printf '\n## %s\n\n' "$(basename "$family" .md)"
    cat "$family"
  done
} >docs/sources.md
echo "wrote docs/sources.md: $(grep -c '| right |' docs/sources.md) right, $(grep -c '| known limit' docs/sources.md) known limits, $(grep -cE '\*\*(wrong|broken|mended)\*\*' docs/sources.md) wrong"
exit $failed
