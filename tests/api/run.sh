#!/usr/bin/env bash
# Tests the REST API of a running stack against its OpenAPI document: generated requests, valid and not, and chains of
# them along the document's links. Starts a stack of its own; ends with 1 on any finding. Takes about two minutes.
# Usage: tests/api/run.sh [path of headwater-local]
#   EXAMPLES=n        generated cases per operation and phase, instead of those of schemathesis.toml; `make test` runs few
#   PORT_BASE=23100   first port of the stack (a block of 22)
#   HEADWATER_ARTIFACTS=folder   put data, logs and reports there instead of a temporary folder
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd)

# One run has its own bound (below); this one is for what we did not think of.
readonly MAX_TOTAL_SECONDS=420
if [ -z "${API_TEST_BOUNDED-}" ]; then
  API_TEST_BOUNDED=1 exec timeout --foreground -k 30 "$MAX_TOTAL_SECONDS" "$0" "$@"
fi

headwater=$(realpath "${1:-${CARGO_TARGET_DIR:-$HOME/.cache/headwater/target}/debug/headwater-local}")
[ -x "$headwater" ] || { echo "api-test: $headwater is not there; build it with: cargo build --locked --workspace --bins" >&2; exit 2; }

venv=$("$here/../../scripts/venv.sh" api "$here/requirements.txt") || exit 2

if [ -n "${HEADWATER_ARTIFACTS-}" ]; then
  work=$HEADWATER_ARTIFACTS/api; rm -rf "$work"; mkdir -p "$work"; keep=1
else
  work=$(mktemp -d "${TMPDIR:-/tmp}/headwater-api.XXXXXX"); keep=
fi
work=$(realpath "$work")

stack=
failed=1
finish() {
  trap - EXIT
  local waited=0
  if [ -n "$stack" ]; then
    kill -TERM "$stack" 2>/dev/null
    while kill -0 "$stack" 2>/dev/null && [ $((waited += 1)) -le 60 ]; do sleep 0.25; done
    kill -KILL -- "-$stack" 2>/dev/null
  fi
  if [ "$failed" = 0 ] && [ -z "$keep" ]; then rm -rf "$work"; else echo "Data, logs and reports: $work"; fi
  exit "$failed"
}
trap finish EXIT
trap 'exit 130' INT TERM

# In a session of its own, so that nothing of it can be left running.
PORT_BASE=${PORT_BASE:-23100} setsid "$headwater" --data "$work/data" run >"$work/stack.log" 2>&1 </dev/null &
stack=$!
for _ in $(seq 240); do
  [ -s "$work/data/endpoints.json" ] && break
  kill -0 "$stack" 2>/dev/null || break
  sleep 0.25
done
[ -s "$work/data/endpoints.json" ] || { echo "api-test: the stack did not start" >&2; cat "$work/stack.log" >&2; exit; }
read -r api edge token < <("$venv/bin/python" -c '
import json, sys
endpoints = json.load(open(sys.argv[1]))
print(endpoints["regions"][0]["api"], endpoints["edge"], endpoints["token"])' "$work/data/endpoints.json")

# run NAME URL ARGUMENTS…: the document is the one that the API serves.
run() {
  local name=$1 url=$2; shift 2
  (cd "$here" && PYTHONDONTWRITEBYTECODE=1 "$venv/bin/schemathesis" --config-file schemathesis.toml run "$api/v1/openapi.json" \
    --url "$url" ${EXAMPLES:+--max-examples "$EXAMPLES"} --report junit --report-junit-path "$work/$name.xml" "$@")
}
run api "$api" --header "Authorization: Bearer $token" --exclude-tag Viewing --phases examples,coverage,fuzzing,stateful; of_api=$?
# Nothing is live here (playing is what interop and e2e test), and no link leads to the edge, so there are no chains.
run edge "$edge" --include-tag Viewing --phases examples,coverage,fuzzing; of_edge=$?

# What our own processes had to say beyond INFO.
complaints=$(grep -rahE '( WARN | ERROR |"level":"(WARN|ERROR)"|panicked at)' "$work/data/logs" "$work/stack.log" 2>/dev/null)
[ -z "$complaints" ] || printf 'api-test: complaints in our logs:\n%s\n' "$(cut -c1-240 <<<"$complaints" | head -20)"
[ "$of_api$of_edge" = 00 ] && [ -z "$complaints" ] && failed=0
