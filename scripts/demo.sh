#!/usr/bin/env bash
# From a bare machine to a trained model and its pictures: installs, then runs `embedseg demo`.
set -euo pipefail
cd "$(dirname "$0")/.."
bash scripts/install.sh
exec .venv/bin/embedseg demo "$@"
