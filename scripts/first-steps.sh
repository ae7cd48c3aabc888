#!/usr/bin/env bash
# Runs the README's two commands as a newcomer would, `make run` and `make demo`, and judges what plays. Takes as long as the
# build, and half a minute.
# Usage: scripts/first-steps.sh
#   PORT_BASE=n             first port of the stack, as for make run
#   MAX_BUILD_SECONDS=3600  how long `make run` may take until everything is there
#   HEADWATER_ARTIFACTS=folder   put the logs there instead of a temporary folder
set -euo pipefail
cd "$(dirname "$0")/.."
max_build=${MAX_BUILD_SECONDS:-3600}
# From the demo's start to a first segment at the edge; a machine that is busy needs more than the usual few seconds.
readonly MAX_FIRST_SEGMENT_SECONDS=60

if [ -n "${HEADWATER_ARTIFACTS-}" ]; then
  work=$HEADWATER_ARTIFACTS/first-steps
  rm -rf "$work"
else
  work=$(mktemp -d "${TMPDIR:-/tmp}/headwater-first-steps.XXXXXX")
fi
mkdir -p "$work"
export HEADWATER_DATA=$work/data

# start NAME TARGET: as in a terminal of its own. A shell without job control would have it ignore Ctrl-C.
started=()
start() {
  setsid env --default-signal=INT make --no-print-directory "$2" >"$work/$1.log" 2>&1 </dev/null &
  started+=($!)
}
finish() {
  local code=$? pid
  trap - EXIT
  for pid in "${started[@]}"; do kill -INT -- "-$pid" 2>/dev/null || true; done
  for pid in "${started[@]}"; do timeout 60 tail --pid="$pid" -f /dev/null || kill -KILL -- "-$pid" 2>/dev/null || true; done
  if [ $code = 0 ]; then echo "first steps: fine"; else tail -n 30 "$work"/*.log; echo "first steps: FAILED; logs are in $work" >&2; fi
  exit $code
}
trap finish EXIT

echo "first steps: make run"
start run run
timeout "$max_build" grep -qm1 'Ctrl-C stops everything' <(exec tail --pid="${started[0]}" -n +1 -f "$work/run.log") \
  || { echo "first steps: make run did not come up" >&2; exit 1; }
url=$(sed -n 's/^ *Playback URL *//p' "$work/run.log")
page=$(sed -n 's/^ *Watch it *//p' "$work/run.log")

echo "first steps: make demo"
start demo demo
curl --silent --show-error --fail --output /dev/null "$page"
curl --silent --show-error --fail --output /dev/null --max-time "$MAX_FIRST_SEGMENT_SECONDS" \
  --retry "$MAX_FIRST_SEGMENT_SECONDS" --retry-delay 1 --retry-max-time "$MAX_FIRST_SEGMENT_SECONDS" --retry-all-errors "$url"

echo "first steps: make conform URL=$url"
make --no-print-directory conform URL="$url" PROFILE=watched WATCH=15
