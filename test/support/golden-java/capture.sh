#!/bin/sh
# Captures test/golden/*-<release>.* again from Apache's own jars. Needs a JDK (17 or newer) and, for
# jars that are not in .cache yet, Maven and a build of this repository (npm run build).
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../../.." && pwd)
classes=$(mktemp -d)
trap 'rm -rf "$classes"' EXIT

for release in 3.9.5 3.8.0; do
  lib="$root/.cache/oracle/$release/lib"
  if ! ls "$lib"/*.jar >/dev/null 2>&1; then
    (cd "$root" && node --input-type=module -e \
      "const { oracleJars } = await import('./build/test/support/oracle.js'); await oracleJars('$release');")
  fi
  rm -rf "$classes/$release"
  javac -nowarn -encoding UTF-8 -d "$classes/$release" -cp "$lib/*" "$here"/*.java
  rules=; [ "$release" = 3.9.5 ] && rules=rules
  java -cp "$classes/$release:$lib/*" Golden "$release" "$root/test/golden" $rules
  echo "captured $release"
done
