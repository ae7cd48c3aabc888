#!/usr/bin/env bash
# Makes (once) a Python environment from a locked requirements file (scripts/lock-python.sh) and prints its folder.
# Usage: scripts/venv.sh <name> <requirements.txt>
set -euo pipefail
name=$1 requirements=$2
folder=${HEADWATER_CACHE:-$HOME/.cache/headwater}/venv-$name
stamp=$folder/.installed
if ! cmp -s "$requirements" "$stamp"; then
  echo "setup: Python environment $name" >&2
  python3 -m venv "$folder" >&2
  "$folder/bin/pip" install --quiet --disable-pip-version-check --require-hashes -r "$requirements" >&2
  cp "$requirements" "$stamp"
fi
echo "$folder"
