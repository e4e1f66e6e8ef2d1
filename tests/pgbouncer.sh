#!/bin/sh
# Unpacks PgBouncer from its Debian package into .tools/pgbouncer, without installing it, unless it is in the PATH. On other
# systems it leaves the folder empty, and the tests with PgBouncer are skipped.
set -eu
folder=.tools/pgbouncer
mkdir -p "$folder"
if ! command -v pgbouncer >/dev/null && command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null; then
  cd "$folder"
  libraries() {
    apt-cache depends pgbouncer 2>/dev/null | sed -n 's/^ *Depends: \(lib\(event\|c-ares\)[^ ]*\)$/\1/p'
  }
  # A new machine has no lists of packages.
  [ -n "$(libraries)" ] || apt-get update -qq || true
  # shellcheck disable=SC2046
  apt-get download -qq pgbouncer $(libraries) || echo "PgBouncer cannot be downloaded; its tests are skipped."
  for package in *.deb; do
    [ ! -e "$package" ] || dpkg-deb --extract "$package" .
  done
  rm -f ./*.deb
  cd - >/dev/null
fi
touch "$folder/.installed"
