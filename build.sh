#!/bin/bash
# The one entry to building, running and testing Testudo: ./build.sh help
# It brings what a bare Debian 12 or 13 lacks and hands over to cmd/mkos.
set -euo pipefail
cd "$(dirname "$0")"

# Go below this cannot fetch a newer toolchain that still reads our go.mod.
oldest_go=1.21

say() { echo "build.sh: $*" >&2; }

# older A B: is version A below B?
older() { [ "$1" != "$2" ] && [ "$(printf '%s\n%s\n' "$1" "$2" | sort -V | head -n 1)" = "$1" ]; }

# Packages of Debian that the build uses from the host.
need_packages() {
  local missing=() p
  for p in "$@"; do
    dpkg-query -W -f '${db:Status-Status}\n' "$p" 2>/dev/null | grep -qx installed || missing+=("$p")
  done
  [ ${#missing[@]} -gt 0 ] || return 0
  if [ "$(id -u)" != 0 ]; then
    say "packages are missing. Please run:"
    echo "  sudo apt-get update && sudo apt-get install -y --no-install-recommends ${missing[*]}" >&2
    exit 1
  fi
  say "installing ${missing[*]}"
  DEBIAN_FRONTEND=noninteractive apt-get -qq update
  DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends "${missing[@]}" >/dev/null
}

# The mirror that this host's own apt uses, the first that is named.
mirror() {
  cat /etc/apt/sources.list /etc/apt/sources.list.d/*.list /etc/apt/sources.list.d/*.sources 2>/dev/null |
    sed -n -E 's/^deb( \[[^]]*\])? +([^ ]+).*/\2/p; s/^URIs: *([^ ]+).*/\1/p' | grep -v -- -security | head -n 1
}

# apt-get for Debian 13 with a configuration of its own; the host's is not touched.
apt13() {
  apt-get -qq -o Dir::Etc::sourceparts=/dev/null -o Dir::Etc::sourcelist="$apt_dir/13.sources" \
    -o Dir::State="$apt_dir" -o Dir::State::Lists="$apt_dir/lists" -o Dir::Cache="$apt_dir/cache" \
    -o Dir::State::status=/dev/null -o APT::Sandbox::User= "$@"
}

# Debian 13's Go, unpacked where nothing but this build sees it.
unpack_go() {
  local dir=$PWD/.cache/go-debian13
  if [ ! -x "$dir/bin/go" ]; then
    say "unpacking Debian 13's Go below .cache/"
    local apt_dir=$dir.apt
    rm -rf "$dir" "$dir.new" "$apt_dir"
    mkdir -p "$apt_dir/lists/partial" "$apt_dir/cache/archives/partial" "$dir.new"
    printf 'Types: deb\nURIs: %s\nSuites: trixie\nComponents: main\nSigned-By: %s\n' \
      "$(mirror)" /usr/share/keyrings/debian-archive-keyring.gpg >"$apt_dir/13.sources"
    apt13 update
    (cd "$apt_dir" && apt13 download golang-1.24-go golang-1.24-src)
    local deb
    for deb in "$apt_dir"/*.deb; do dpkg-deb -x "$deb" "$dir.new"; done
    ln -s usr/lib/go-1.24/bin "$dir.new/bin"
    mv "$dir.new" "$dir"
    rm -rf "$apt_dir"
  fi
  PATH=$dir/bin:$PATH
}

# go_version: the Go that runs here, without its own choice of another.
go_version() { GOTOOLCHAIN=local go env GOVERSION 2>/dev/null | sed 's/^go//'; }

need_go() {
  local wanted have
  wanted=$(sed -n 's/^go //p' go.mod)
  [ -n "$(command -v go)" ] || PATH=$PATH:/usr/local/go/bin
  have=$(go_version || true)
  if [ -z "$have" ] || older "$have" "$oldest_go"; then
    unpack_go
    have=$(go_version)
  fi
  # Only then: a host that pins its toolchain keeps it where it will do.
  if older "$have" "$wanted"; then export GOTOOLCHAIN=auto; fi
}

need_packages gcc libc6-dev git ca-certificates debian-archive-keyring
need_go
exec go run ./cmd/mkos "${@:-help}"
