#!/usr/bin/env bash
# Installs with the test extra, then ruff, mypy and the whole fast suite.
set -euo pipefail
cd "$(dirname "$0")/.."
bash scripts/install.sh test
.venv/bin/python -m ruff check .
.venv/bin/python -m ruff format --check .
.venv/bin/python -m mypy
.venv/bin/python -m pytest -n "${TEST_WORKERS:-2}" "$@"
