#!/usr/bin/env bash
# Makes .venv and installs the package into it, pinned by constraints.txt. Safe to run again.
# usage: scripts/install.sh [EXTRA[,EXTRA...]]
set -euo pipefail
cd "$(dirname "$0")/.."
python=${PYTHON:-python3}
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
    echo "embedseg needs Python >= 3.11; $python is $("$python" --version). Set PYTHON=/path/to/python3.11" >&2
    exit 1
}
[ -x .venv/bin/python ] || "$python" -m venv .venv
extras=${1:+[$1]}
.venv/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".$extras"
if ! .venv/bin/python -c 'import cv2' 2>/dev/null; then
    # opencv-python links against libGL and glib, which bare machines lack; the headless build does not
    version=$(.venv/bin/python -m pip list --format=freeze | sed -n 's/^opencv-python==//p')
    .venv/bin/python -m pip uninstall --quiet --yes opencv-python
    .venv/bin/python -m pip install --quiet --disable-pip-version-check "opencv-python-headless==$version"
fi
