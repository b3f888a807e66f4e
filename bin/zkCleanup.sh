#!/bin/sh
# Deletes old snapshots and the logs that only they need, in the directories of zoo.cfg:
#
#   zkCleanup.sh [--config DIR] -n COUNT       (COUNT: 3 or more snapshots stay)

self=$0
while [ -L "$self" ]; do
  target=$(readlink "$self")
  case "$target" in
  /*) self=$target ;;
  *) self=$(dirname "$self")/$target ;;
  esac
done
ZOOBINDIR=$(cd "$(dirname "$self")" && pwd)
. "$ZOOBINDIR/zkEnv.sh"

data=$(zabra_setting dataDir)
log=$(zabra_setting dataLogDir)
if [ -z "$data" ]; then
  echo "Unable to determine dataDir from $ZOOCFG" >&2
  exit 1
fi
exec "$NODE" "$ZABRA" purge "${log:-$data}" "$data" "$@"
