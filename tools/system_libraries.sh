#!/usr/bin/env bash
# Installs the system libraries a napari canvas needs where it may (Debian and its kin, as root or
# with sudo that asks nothing), else says which are missing. Other systems bring them along.
set -eu
command -v dpkg-query >/dev/null || exit 0

packages="libegl1 libgl1 libopengl0 libgl1-mesa-dri libxkbcommon-x11-0 libxcb-cursor0
  libxcb-icccm4 libxcb-keysyms1 libxcb-shape0 libxcb-xinerama0 libxcb-randr0
  libxcb-render-util0 libxcb-image0 libdbus-1-3 libfontconfig1 libglib2.0-0"
if [ -z "${DISPLAY:-}${WAYLAND_DISPLAY:-}" ]; then
  packages="$packages xvfb xauth"
fi

missing=""
for package in $packages; do
  # Since 64-bit time some packages carry t64 behind their name.
  status=$(dpkg-query -W -f '${Status}\n' "$package" "${package}t64" 2>/dev/null || true)
  case "$status" in
    *"install ok installed"*) ;;
    *) missing="$missing $package" ;;
  esac
done
[ -n "$missing" ] || exit 0

as_root=""
if [ "$(id -u)" != 0 ]; then
  if ! sudo -n true 2>/dev/null; then
    echo "These system libraries are missing; install them and run make again:" >&2
    echo "  sudo apt-get install$missing" >&2
    exit 1
  fi
  as_root="sudo -n"
fi
echo "Installing:$missing"
export DEBIAN_FRONTEND=noninteractive
$as_root apt-get update -qq
# shellcheck disable=SC2086 # the list is meant to be split
$as_root apt-get install -y -qq --no-install-recommends $missing >/dev/null
