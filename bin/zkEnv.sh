#!/bin/sh
# Sourced by the scripts beside it: where the configuration is, where logs go, how to run zabra.
# The names of the variables are those that Apache ZooKeeper's scripts have.
#
#   ZOOCFGDIR     the folder of zoo.cfg (or --config DIR as the first arguments)
#   ZOOCFG        the name of the file in it, zoo.cfg unless given; afterwards its path
#   ZOO_LOG_DIR   where `start` writes what the server says
#   NODE          the node to use
# $ZOOCFGDIR/zookeeper-env.sh and $ZOOCFGDIR/java.env may set any of these, and SERVER_JVMFLAGS or
# JVMFLAGS, whose -D's reach the server.

if [ $# -gt 1 ] && [ "$1" = "--config" ]; then
  ZOOCFGDIR=$2
  shift 2
fi

if [ -z "${ZOOCFGDIR:-}" ]; then
  if [ -e "$ZOOBINDIR/../conf/zoo.cfg" ]; then
    ZOOCFGDIR="$ZOOBINDIR/../conf"
  elif [ -e ./conf/zoo.cfg ]; then
    ZOOCFGDIR=./conf
  elif [ -e ./zoo.cfg ]; then
    ZOOCFGDIR=.
  elif [ -e "$ZOOBINDIR/../etc/zookeeper" ]; then
    ZOOCFGDIR="$ZOOBINDIR/../etc/zookeeper"
  else
    ZOOCFGDIR="$ZOOBINDIR/../conf"
  fi
fi

if [ -f "$ZOOCFGDIR/zookeeper-env.sh" ]; then
  . "$ZOOCFGDIR/zookeeper-env.sh"
fi
ZOOCFG="$ZOOCFGDIR/${ZOOCFG:-zoo.cfg}"
if [ -f "$ZOOCFGDIR/java.env" ]; then
  . "$ZOOCFGDIR/java.env"
fi

ZOO_LOG_DIR="${ZOO_LOG_DIR:-$ZOOBINDIR/../logs}"
export SERVER_JVMFLAGS="${SERVER_JVMFLAGS:-}"
export JVMFLAGS="${JVMFLAGS:-}"

NODE="${NODE:-node}"
if ! command -v "$NODE" >/dev/null 2>&1; then
  echo "Error: node could not be found in PATH (or set NODE)." >&2
  exit 1
fi
ZABRA="$ZOOBINDIR/zabra"

# The configuration as an argument; none where there is no file, then ZOO_* variables speak.
if [ -f "$ZOOCFG" ] || [ -z "${ZOO_DATA_DIR:-}" ]; then
  zabra_has_file=yes
else
  zabra_has_file=
fi

# zabra_server PREFIX... -- ARGUMENT...: runs `zabra server` with the configuration, behind the
# prefix (exec, nohup).
zabra_server() {
  zabra_prefix=
  while [ "$1" != "--" ]; do
    zabra_prefix="$zabra_prefix $1"
    shift
  done
  shift
  if [ -n "$zabra_has_file" ]; then
    $zabra_prefix "$NODE" "$ZABRA" server "$@" "$ZOOCFG"
  else
    $zabra_prefix env ZOOCFGDIR="$ZOOCFGDIR" ZOOCFG=zoo.cfg "$NODE" "$ZABRA" server "$@"
  fi
}

# zabra_setting KEY: its value, empty when there is none.
zabra_setting() {
  zabra_server -- --print "$1" 2>/dev/null
}
