#!/bin/sh
# Writes requirements.txt, ministack.txt and lint.txt with the latest versions. It needs uv (https://docs.astral.sh/uv).
set -eu
cd "$(dirname "$0")"

# compile FILE PACKAGE...: writes the file's own header, then the packages with all their dependencies.
compile() {
  file=$1
  shift
  header=$(sed '/^[^#]/,$d' "$file")
  all=$(resolve --strip-extras "$@")
  # pip needs both pins for a package that is required with and without its extras.
  with_extras=$(resolve --no-strip-extras "$@")
  with_extras=$(printf '%s\n' "$with_extras" | awk '/==/ { extras = /\[/ } extras')
  printf '%s\n' "$header" "$all" ${with_extras:+"$with_extras"} >"$file"
}

resolve() {
  option=$1
  shift
  printf '%s\n' "$@" |
    uv pip compile - --quiet --universal --python-version 3.11 --generate-hashes --no-annotate --no-header \
      --no-emit-index-url "$option"
}

# analytics-python 1.4.post1 has its own `segment/analytics`, which overwrites that of segment-analytics-python.
compile requirements.txt 'moto[server]' cfn-lint aws-sam-cli cargo-lambda awscli standardwebhooks \
  segment-analytics-python analytics-python==1.4.0
# ministack needs one exact version of botocore, and aws-sam-cli needs another.
compile ministack.txt ministack aws-sam-translator
compile lint.txt typos zizmor
