#!/bin/sh
# nsq, a message broker: this script, and behind it a compressed archive of the runtime and the program.
# At the first start the archive is unpacked into a cache folder that belongs to the user who starts it:
# $NSQ_UNPACK_DIR, $CACHE_DIRECTORY (systemd), $XDG_CACHE_HOME, ~/.cache or a folder of its own in $TMPDIR.
# The folder is named after the archive's digest, so an update never meets the files of another version.
set -u
digest=@DIGEST@
offset=@OFFSET@

fail() {
  echo "nsq: $1" >&2
  exit 126
}

# Nobody else may have made the folder, or be able to write to it.
is_ours() {
  [ -d "$1" ] && [ ! -L "$1" ] && [ -O "$1" ] || return 1
  case $(ls -ld "$1") in
    ?????w* | ????????w*) return 1 ;;
  esac
}

checksum() {
  if command -v sha256sum; then sha256sum "$1"; elif command -v shasum; then shasum -a 256 "$1"; else openssl dgst -sha256 -r "$1"; fi 2>&1 | tail -n 1
}

# Every file arrives under its name by a rename, and the mark comes last: two starts at once disturb neither each
# other nor a program that runs from here.
unpack() {
  own=$1/unpacking.$$
  (umask 077 && mkdir -p "$1" && mkdir "$own") 2>/dev/null || return 1
  is_ours "$1" || { rm -rf "$own"; fail "$1 belongs to somebody else, or others may write to it: set NSQ_UNPACK_DIR"; }
  trap 'rm -rf "$own"; exit 130' HUP INT TERM
  if ! tail -c "+$offset" "$self" > "$own/archive"; then
    rm -rf "$own"
    return 1
  fi
  case $(checksum "$own/archive") in
    "$digest"*) ;;
    *)
      rm -rf "$own"
      fail "$self is damaged: its archive has another SHA-256 than $digest"
      ;;
  esac
  if ! gzip -dc < "$own/archive" | tar -xf - -C "$own" || [ ! -x "$own/deno" ]; then
    rm -rf "$own"
    return 1
  fi
  mkdir -p "$1/app" && for file in "$own"/app/*; do mv -f "$file" "$1/app/" || return 1; done
  mv -f "$own/deno" "$1/deno" && : > "$own/complete" && mv -f "$own/complete" "$1/complete" || return 1
  rm -rf "$own"
  trap - HUP INT TERM
}

self=$0
case $self in */*) ;; *) self=$(command -v -- "$self") || fail "cannot find myself as $0" ;; esac

# Called through a link it is the program of that name.
name=${0##*/}
case $name in
  nsqd | nsqlookupd | nsqadmin | nsq_* | to_nsq) set -- "$name" "$@" ;;
esac

home=
for base in "${NSQ_UNPACK_DIR:-}" "${CACHE_DIRECTORY:-}" "${XDG_CACHE_HOME:-}" "${HOME:+$HOME/.cache}" "${TMPDIR:-/tmp}/nsq-$(id -u)"; do
  [ -n "$base" ] || continue
  folder=$base/nsq/$digest
  if [ -f "$folder/complete" ] && is_ours "$folder" || unpack "$folder"; then
    home=$folder
    break
  fi
done
[ -n "$home" ] || fail "no folder to unpack into: set NSQ_UNPACK_DIR to one that can be written to"

# What the engine keeps of its compilations lies beside the program.
DENO_DIR=$home/cache DENO_NO_UPDATE_CHECK=1
export DENO_DIR DENO_NO_UPDATE_CHECK
exec "$home/deno" run --quiet --no-config --no-lock --no-remote --no-npm @FLAGS@ "$home/app/main.js" "$@"
exit 126
