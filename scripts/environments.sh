#!/usr/bin/env bash
# Runs the tests that need no browser and no whole stack in surroundings that are not a developer's usual ones: a failure there
# is a fault of the test or of the product, never of the machine.
# Usage: scripts/environments.sh [NAME…]     (all of them without a name)
#   locale     Turkish (decimal comma, another capital of "i"), the Chatham Islands' time, temporary files in memory
#   user       nobody, whose home is an empty folder; as who it is called, unless that is root
#   loopback   a network namespace that has 127.0.0.1 alone: no IPv6, no way out
#   busy       beside as many busy loops as there are processors
#   HEADWATER_TESTS="--test e2e"   which tests of the workspace (below: what runs without it)
set -euo pipefail
cd "$(dirname "$0")/.."

readonly ALL=(locale user loopback busy)
# An environment's tests take ten minutes on two processors; beside busy loops twice as long.
readonly MAX_SECONDS=3000
# Left out: what is pure computing (simulation, architecture, documents, supply_chain) and the end-to-end tests.
tests=(--lib --bins --test functions --test gateway --test task --test services --test fuzz)
for file in transcoder/tests/media_*.rs; do tests+=(--test "$(basename "$file" .rs)"); done
[ -z "${HEADWATER_TESTS-}" ] || read -ra tests <<<"$HEADWATER_TESTS"

# cargo calls this for each test program, in the folder in which it would have run it.
if [ "${1-}" = within ]; then
  name=$2; shift 2
  case $name in
    locale)
      # LANGUAGE chooses messages, LC_ALL the rest.
      exec env LOCPATH="$HEADWATER_ENVIRONMENT/locales" LC_ALL=tr_TR.UTF-8 LANG=tr_TR.UTF-8 LANGUAGE=tr TZ=Pacific/Chatham \
        TMPDIR="$HEADWATER_MEMORY" "$@" ;;
    user)
      own=(env HOME="$HEADWATER_ENVIRONMENT/home" TMPDIR="$HEADWATER_ENVIRONMENT/tmp" HEADWATER_ARTIFACTS="$HEADWATER_ENVIRONMENT/artifacts")
      [ "$(id -u)" != 0 ] || own+=(setpriv --reuid nobody --regid nogroup --clear-groups --)
      exec "${own[@]}" "$@" ;;
    loopback)
      script='ip link set lo up && echo 1 >/proc/sys/net/ipv6/conf/all/disable_ipv6 && exec "$@"'
      # Who is not root is it for these two settings only.
      [ "$(id -u)" = 0 ] && exec unshare --net sh -c "$script" sh "$@"
      exec unshare --map-root-user --net sh -c "$script" sh unshare --map-user="$(id -u)" --map-group="$(id -g)" -- "$@" ;;
    busy) exec "$@" ;;
  esac
  echo "environments: no such environment: $name (${ALL[*]})" >&2
  exit 2
fi

work=$(mktemp -d "${TMPDIR:-/tmp}/headwater-environments.XXXXXX")
memory=$(mktemp -d /dev/shm/headwater-environments.XXXXXX)
loops=()
rest() {
  [ ${#loops[@]} = 0 ] || kill "${loops[@]}" 2>/dev/null || true
  loops=()
}
finish() { rest; rm -rf "$work" "$memory"; }
trap finish EXIT
mkdir -p "$work"/{home,tmp,artifacts,locales}
chmod 755 "$work"
export HEADWATER_ENVIRONMENT=$work HEADWATER_MEMORY=$memory

# What an environment needs; in words if it is not there.
prepare() {
  case $1 in
    locale)
      localedef -i tr_TR -f UTF-8 "$work/locales/tr_TR.UTF-8" 2>"$work/localedef" && [ -e /usr/share/zoneinfo/Pacific/Chatham ] && return
      echo "environments: locale needs the packages locales and tzdata: $(cat "$work/localedef")" ;;
    user)
      [ "$(id -u)" = 0 ] || return 0
      chown nobody:nogroup "$work"/{home,tmp,artifacts}
      local folder; for folder in "$PWD" "$target"; do
        setpriv --reuid nobody --regid nogroup --clear-groups ls "$folder" >/dev/null 2>&1 && continue
        echo "environments: nobody may not read $folder; clone to, or set CARGO_TARGET_DIR to, where everybody may"
        return 1
      done
      return 0 ;;
    loopback)
      "$0" within loopback true 2>"$work/unshare" && return
      echo "environments: loopback needs ip (iproute2) and network namespaces: $(cat "$work/unshare")" ;;
    busy)
      local loop; for ((loop = 0; loop < $(nproc); loop++)); do
        timeout "$MAX_SECONDS" sh -c 'while :; do :; done' & loops+=($!)
      done
      return 0 ;;
    *) "$0" within "$1" ;;
  esac
  return 1
}

target=$(realpath -m "${CARGO_TARGET_DIR:-target}")
runner=CARGO_TARGET_$(rustc -vV | sed -n 's/^host: //p' | tr 'a-z-' 'A-Z_')_RUNNER
cargo test --locked --workspace --no-run "${tests[@]}"
cargo build --locked --workspace --bins

failed=()
for name in "${@:-${ALL[@]}}"; do
  echo "environments: $name"
  if prepare "$name"; then
    env "$runner=$PWD/scripts/environments.sh within $name" \
      timeout --foreground "$MAX_SECONDS" cargo test --locked --workspace --no-fail-fast "${tests[@]}" || failed+=("$name")
  else
    failed+=("$name")
  fi
  rest
done
if [ ${#failed[@]} = 0 ]; then echo "environments: fine"; else echo "environments: FAILED in ${failed[*]}" >&2; exit 1; fi
