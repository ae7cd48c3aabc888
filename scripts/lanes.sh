#!/usr/bin/env bash
# Runs make targets side by side, LANES (2) at a time in the given order. Each argument is a lane: targets that run one after
# the other. A lane writes a log of its own; the log of a lane that fails is printed whole.
# Usage: scripts/lanes.sh "e2e-tests validate" browser …
set -euo pipefail
cd "$(dirname "$0")/.."
logs=${HEADWATER_ARTIFACTS:-$PWD/test-artifacts}/lanes
mkdir -p "$logs"

if [ "${1:-}" = --lane ]; then
  log=$logs/${2%% *}.log
  echo "started: $2 (log: $log)"
  SECONDS=0
  # shellcheck disable=SC2086 # the targets of a lane are words
  if make --no-print-directory $2 >"$log" 2>&1; then
    echo "passed after $SECONDS s: $2"
  else
    echo "FAILED after $SECONDS s: $2"
    cat "$log"
    exit 1
  fi
  exit 0
fi

# The jobs of an outer make are not for the lanes' own makes.
unset MAKEFLAGS MFLAGS MAKELEVEL
printf '%s\0' "$@" | xargs -0 -n 1 -P "${LANES:-2}" "$0" --lane || {
  echo "a lane failed; its log is above and in $logs" >&2
  exit 1
}
