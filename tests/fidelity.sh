#!/usr/bin/env bash
# Prints where the schema that plimsoll replays from a folder of migrations differs from what PostgreSQL makes of it.
set -euo pipefail
[ $# -gt 0 ] || { echo "usage: tests/fidelity.sh FOLDER…" >&2; exit 2; }
folders=()
for folder in "$@"; do folders+=("$(realpath "$folder")"); done
cd "$(dirname "$0")/.."
PLIMSOLL_FIDELITY=$(IFS=:; echo "${folders[*]}") cargo test --quiet --test fidelity -- --nocapture given_folders
