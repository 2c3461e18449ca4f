#!/usr/bin/env bash
# Runs a command on the screen there is, else on a virtual one.
set -eu
if [ -n "${DISPLAY:-}${WAYLAND_DISPLAY:-}" ] || [ "$(uname)" != Linux ]; then
  exec "$@"
fi
if ! command -v xvfb-run >/dev/null; then
  echo "There is no screen and no virtual one: install Debian's xvfb and xauth." >&2
  exit 1
fi
exec xvfb-run -a -s "-screen 0 1920x1200x24" "$@"
