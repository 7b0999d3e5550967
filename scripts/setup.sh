#!/usr/bin/env bash
# Sets up what Populace needs to build and to embed; says what it does, and does nothing twice.
#   scripts/setup.sh            everything
#   scripts/setup.sh --build    only what the build needs
set -euo pipefail
cd "$(dirname "$0")/.."

say() { printf 'setup: %s\n' "$*"; }
die() { printf 'setup: %s\n' "$*" >&2; exit 1; }

command -v cargo >/dev/null || die "no Rust toolchain: install one from https://rustup.rs (1.94 or newer)"
command -v python3 >/dev/null || die "no python3: install Python 3.9 or newer"

install() {
  local as_root=""
  [ "$(id -u)" = 0 ] || as_root=sudo
  [ -z "$as_root" ] || command -v sudo >/dev/null || die "$1 is missing; install it, or run this as root"
  say "installing $1 with the system's package manager"
  if command -v apt-get >/dev/null; then
    $as_root apt-get update -qq && $as_root apt-get install -y -qq "$2" >/dev/null
  elif command -v dnf >/dev/null; then
    $as_root dnf install -y -q "$3"
  elif command -v pacman >/dev/null; then
    $as_root pacman -S --noconfirm "$4"
  elif command -v brew >/dev/null; then
    brew install "$4"
  else
    die "$1 is missing, and no package manager known here (apt-get, dnf, pacman, brew) can install it"
  fi
}

if [ -n "${PROTOC:-}" ] || command -v protoc >/dev/null; then
  say "protobuf compiler: there"
else
  install "the protobuf compiler" protobuf-compiler protobuf-compiler protobuf
fi
command -v cc >/dev/null || install "a C compiler" build-essential gcc gcc

[ "${1:-}" = --build ] || python3 scripts/models.py
