# The cached Debian root folder with Asterisk in it. Needs settings.bash.
# shellcheck shell=bash

# Lowest Asterisk versions that are safe to drive; the ones below have deadlocks that stop the whole PBX
# (20.19, 22.8-22.9, 23.3), and 18 is at its end of life.
declare -A LOWEST_ASTERISK=([20]=20.20.1 [22]=22.10.1 [23]=23.4.1)

# Version of the Asterisk package in root folder $1, as 22.10.1.
asterisk_version() {
  awk '/^Package: / { package = $2 } package == "asterisk" && /^Version: / { print $2 }' \
    "$1/var/lib/dpkg/status" | sed -e 's/^[0-9]*://' -e 's/[^0-9.].*//'
}

# Is version $1 one that the dialer supports?
is_supported() {
  local version=$1 major=${1%%.*} lowest
  [[ $major =~ ^[0-9]+$ ]] || return 1
  ((major > 23)) && return 0
  lowest=${LOWEST_ASTERISK[$major]:-}
  [[ -n $lowest && $(printf '%s\n' "$lowest" "$version" | sort -V | head -n 1) == "$lowest" ]]
}

check_version() {
  local version
  version=$(asterisk_version "$1")
  is_supported "$version" ||
    die "Asterisk ${version:-(none)} in $1 is not supported: 20.20.1, 22.10.1, 23.4.1 or later is wanted."
}

# Makes the root folder where there is none: under another name first, so that half a root is never used.
ensure_root() {
  mkdir -p "$LAB_CACHE"
  local lock
  exec {lock}<"$LAB_CACHE"
  flock "$lock"
  if [[ ! -d $LAB_ROOT ]]; then build_root; fi
  exec {lock}<&-
  check_version "$LAB_ROOT"
  # What the lab mounts upon; empty outside.
  mkdir -p "$LAB_ROOT/etc/asterisk-lab" "$LAB_ROOT/var/lab"
  touch "$LAB_ROOT/etc/hosts"
}

build_root() {
  command -v debootstrap >/dev/null ||
    die "debootstrap is not installed (apt-get install debootstrap); or use docker/compose.yaml."
  local half=$LAB_ROOT.half
  rm -rf "$half"
  say "making $LAB_ROOT (Debian sid with its Asterisk, about 500 MB; once)"
  # In a mount namespace of its own: what debootstrap mounts goes with it, even where it is killed.
  if ! unshare --mount debootstrap --variant=minbase --include=asterisk sid "$half" >"$LAB_CACHE/debootstrap.log" 2>&1; then
    tail -n 20 "$LAB_CACHE/debootstrap.log" >&2
    die "debootstrap failed; its last words are above, all of them are in $LAB_CACHE/debootstrap.log."
  fi
  check_version "$half"
  rm -rf "$half/var/cache/apt/archives" "$LAB_CACHE/debootstrap.log"
  mv "$half" "$LAB_ROOT"
}
