#!/usr/bin/env bash
# Starts a stack, publishes a picture with a clock in it with low latency, watches it in Chromium and reads the clock back.
# Fails above 3 s (95 % of the pictures) or with a stall. Usage: latency.sh <path of headwater-local> [seconds]
#   PORT_BASE=23200   first port of the stack (a block of 22)
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
headwater=$(realpath "$1")
seconds=${2:-180}
port=${PORT_BASE:-23200}
work=$(mktemp -d "${TMPDIR:-/tmp}/headwater-latency.XXXXXX")

stack=
finish() {
  status=$?
  if [ -n "$stack" ]; then kill -INT "$stack" 2>/dev/null || true; wait "$stack" 2>/dev/null || true; fi
  if [ "$status" = 0 ]; then rm -rf "$work"; else echo "Data and logs: $work" >&2; fi
}
trap finish EXIT

"$headwater" --data "$work/data" run --port-base "$port" --web "$here/../../web/dist" >"$work/stack.log" 2>&1 &
stack=$!
for _ in $(seq 120); do
  grep -q 'Ctrl-C stops' "$work/stack.log" && break
  kill -0 "$stack" 2>/dev/null || { cat "$work/stack.log" >&2; exit 1; }
  sleep 0.5
done
said() { sed -n "s/^ *$1 *\([^ ]*\).*/\1/p" "$work/stack.log" | head -1; }

created=$(curl -sS --fail-with-body -X POST "$(said API)/v1/streams" -H "authorization: Bearer $(said 'API token')" \
  -H 'content-type: application/json' -d '{"name":"latency","settings":{"latency":"low"}}')
field() { node -e 'console.log(process.argv[2].split(".").reduce((at, name) => at[name], JSON.parse(process.argv[1])))' "$created" "$1"; }

node "$here/latency.mjs" --url "$(said 'Player page')" --stream "$(field id)" --rtmp "$(said 'RTMP server')/$(field stream_key.value)" \
  --seconds "$seconds" --limit 3
