#!/usr/bin/env bash
# Installs medc $MEDC_VERSION into $MEDC_HOME/bin, unless it is there already.
#
# With MEDC_DOWNLOAD_URL (an archive .tar.gz that holds `medc`) it is downloaded and, with MEDC_SHA256, compared; otherwise
# it is built from its sources, which takes about 15 minutes on two cores, once: keep $MEDC_HOME in the pipeline's cache.
set -euo pipefail

: "${MEDC_VERSION:?the version to install}"
home="${MEDC_HOME:-$HOME/.local/medc}"

if "$home/bin/medc" --version 2>/dev/null | grep --quiet --fixed-strings --line-regexp "medc $MEDC_VERSION"; then
  echo "medc $MEDC_VERSION is there"
  exit 0
fi

mkdir -p "$home/bin"
if [ -n "${MEDC_DOWNLOAD_URL:-}" ]; then
  archive="$(mktemp)"
  trap 'rm -f "$archive"' EXIT
  curl --fail --silent --show-error --location --retry 3 --output "$archive" "$MEDC_DOWNLOAD_URL"
  if [ -n "${MEDC_SHA256:-}" ]; then
    echo "$MEDC_SHA256  $archive" | sha256sum --check --quiet
  fi
  tar --extract --gzip --file "$archive" --directory "$home/bin" medc
else
  cargo install --locked --version "$MEDC_VERSION" --root "$home" medc
fi
"$home/bin/medc" --version
