#!/bin/sh
# Makes requirements.txt again, with today's versions. It needs uv (https://docs.astral.sh/uv).
set -eu
cd "$(dirname "$0")"

# analytics-python 1.4.post1 has a `segment/analytics` of its own, which overwrites that of segment-analytics-python.
compile() {
    printf '%s\n' 'moto[server]' cfn-lint aws-sam-cli cargo-lambda standardwebhooks segment-analytics-python \
        analytics-python==1.4.0 |
        uv pip compile - --quiet --universal --python-version 3.11 --generate-hashes --no-annotate --no-header \
            --no-emit-index-url "$1"
}

header=$(sed '/^[^#]/,$d' requirements.txt)
all=$(compile --strip-extras)
# pip wants a package that is needed with and without its extras to be pinned both ways.
with_extras=$(compile --no-strip-extras)
with_extras=$(printf '%s\n' "$with_extras" | awk '/==/ { extras = /\[/ } extras')
printf '%s\n' "$header" "$all" "$with_extras" >requirements.txt
