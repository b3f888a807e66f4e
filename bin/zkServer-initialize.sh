#!/bin/sh
# Makes the data directories of a new server, as Apache ZooKeeper's script of this name does: with
# version-2 in them, `myid` where it is given, and the file `initialize`, which lets an empty server
# take part. Data that is there is deleted only with --force, and never under a running server.

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

usage() {
  cat <<TEXT
usage: $0 <parameters>
  Optional parameters:
     -h                          Display this message
     --help                      Display this message
     --configfile=$ZOOCFG
                                 ZooKeeper config file
     --myid=#                    Set the myid to be used, if any (1-255)
     --force                     Force creation of the data/txnlog dirs
TEXT
  exit 1
}

myid=
force=
while [ -n "${1:-}" ]; do
  case "$1" in
  --configfile=?*)
    ZOOCFG=${1#*=}
    ;;
  --configfile)
    ZOOCFG=${2:-}
    shift
    ;;
  --myid=?*)
    myid=${1#*=}
    ;;
  --myid)
    myid=${2:-}
    shift
    ;;
  --force)
    force=yes
    ;;
  -h | --help)
    usage
    ;;
  *)
    echo "Unknown option: $1"
    usage
    ;;
  esac
  shift
done

if [ ! -e "$ZOOCFG" ]; then
  echo "Unable to find config file at $ZOOCFG"
  exit 1
fi
zabra_has_file=yes
case "$myid" in
*[!0-9]*)
  echo "myid must be a number, not $myid"
  exit 1
  ;;
esac

data=$(zabra_setting dataDir)
log=$(zabra_setting dataLogDir)
if [ -z "$data" ]; then
  echo "Unable to determine dataDir from $ZOOCFG"
  exit 1
fi

if [ -n "$force" ]; then
  echo "Force enabled, data/txnlog directories will be re-initialized"
  pid=$(cat "${ZOOPIDFILE:-$data/zookeeper_server.pid}" 2>/dev/null)
  if [ -n "$pid" ] && kill -0 "$pid" 2>/dev/null; then
    echo "process $pid is using $data, nothing is deleted"
    exit 1
  fi
else
  if [ -d "$data/version-2" ]; then
    echo "ZooKeeper data directory already exists at $data (or use --force to force re-initialization)"
    exit 1
  fi
  if [ -n "$log" ] && [ -d "$log/version-2" ]; then
    echo "ZooKeeper txnlog directory already exists at $log (or use --force to force re-initialization)"
    exit 1
  fi
fi

# the directories themselves stay: they may be mounts with permissions of their own
for directory in "$data" ${log:+"$log"}; do
  rm -rf "$directory/myid" "$directory/version-2"
  mkdir -p "$directory/version-2" || exit 1
done

if [ -n "$myid" ]; then
  echo "Using myid of $myid"
  echo "$myid" >"$data/myid" || exit 1
else
  echo "No myid provided, be sure to specify it in $data/myid if using non-standalone"
fi
: >"$data/initialize"
