#!/bin/sh
# Makes requirements.txt and ministack.txt again, with today's versions. It needs uv (https://docs.astral.sh/uv).
set -eu
cd "$(dirname "$0")"

# compile FILE PACKAGE...: the header that the file has, and then the packages with all that they need.
compile() {
    file=$1
    shift
    header=$(sed '/^[^#]/,$d' "$file")
    all=$(resolve --strip-extras "$@")
    # pip wants a package that is needed with and without its extras to be pinned both ways.
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

# analytics-python 1.4.post1 has a `segment/analytics` of its own, which overwrites that of segment-analytics-python.
compile requirements.txt 'moto[server]' cfn-lint aws-sam-cli cargo-lambda awscli standardwebhooks \
    segment-analytics-python analytics-python==1.4.0
# It wants one version of botocore alone, which is not the one that aws-sam-cli wants.
compile ministack.txt ministack aws-sam-translator
