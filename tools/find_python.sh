#!/usr/bin/env bash
# Prints a Python of version 3.11 or later that can make virtual environments.
set -eu
for name in "${PYTHON:-python3}" python3.13 python3.12 python3.11 python3 python; do
  if command -v "$name" >/dev/null &&
    "$name" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
    command -v "$name"
    exit 0
  fi
done
echo "No Python 3.11 or later with venv was found: install one (Debian: python3 python3-venv) or name it: make PYTHON=/path/to/python" >&2
exit 1
