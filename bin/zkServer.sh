#!/bin/sh
# Starts, stops and asks a server, with the verbs, the files, the lines and the exit codes that
# scripts know from Apache ZooKeeper's zkServer.sh.
#
#   zkServer.sh [--config DIR] {start|start-foreground|stop|version|restart|status|print-cmd} [zoo.cfg]

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

# A name is looked for in the configuration's folder, a path is taken as it is.
if [ -n "${2:-}" ]; then
  case "$2" in
  */*) ZOOCFG=$2 ;;
  *) ZOOCFG="$ZOOCFGDIR/$2" ;;
  esac
  [ -f "$ZOOCFG" ] && zabra_has_file=yes
fi

HOSTNAME="${HOSTNAME:-$(hostname 2>/dev/null)}"
OUT="$ZOO_LOG_DIR/zookeeper-${USER:-}-server-$HOSTNAME.out"

usage() {
  echo "Usage: $0 [--config <conf-dir>] {start|start-foreground|stop|version|restart|status|print-cmd}" >&2
}

# Sets ZOO_DATADIR, ZOO_DATALOGDIR and ZOOPIDFILE; makes the folders of pid file and log.
locate() {
  ZOO_DATADIR=$(zabra_setting dataDir)
  ZOO_DATALOGDIR=$(zabra_setting dataLogDir)
  if [ -n "${ZOO_DATADIR_AUTOCREATE_DISABLE:-}" ]; then
    if [ ! -d "$ZOO_DATADIR/version-2" ]; then
      echo "ZooKeeper data directory is missing at $ZOO_DATADIR fix the path or run initialize"
      exit 1
    fi
    if [ -n "$ZOO_DATALOGDIR" ] && [ ! -d "$ZOO_DATALOGDIR/version-2" ]; then
      echo "ZooKeeper txnlog directory is missing at $ZOO_DATALOGDIR fix the path or run initialize"
      exit 1
    fi
    SERVER_JVMFLAGS="-Dzookeeper.datadir.autocreate=false $SERVER_JVMFLAGS"
  fi
  if [ -z "${ZOOPIDFILE:-}" ]; then
    [ -z "$ZOO_DATADIR" ] || mkdir -p "$ZOO_DATADIR"
    ZOOPIDFILE="$ZOO_DATADIR/zookeeper_server.pid"
  else
    mkdir -p "$(dirname "$ZOOPIDFILE")"
  fi
}

# Without a readable configuration nothing starts: says why, in the server's own words.
require_config() {
  if ! problems=$(zabra_server -- --check 2>&1 >/dev/null); then
    [ -z "$problems" ] || echo "$problems" >&2
    return 1
  fi
}

# A process that has ended but was not buried by its parent yet is not alive.
is_alive() {
  kill -0 "$1" 2>/dev/null || return 1
  if [ -r "/proc/$1/stat" ]; then
    state=$(sed 's/^.*) //' "/proc/$1/stat" 2>/dev/null)
  else
    state=$(ps -o stat= -p "$1" 2>/dev/null)
  fi
  case "$state" in
  Z*) return 1 ;;
  esac
}

# The server that has the data directory, when nobody wrote a pid file: its lock names it.
holder_of_data() {
  holder=$(cat "$1/version-2/.lock" 2>/dev/null)
  case "$holder" in
  '' | *[!0-9]*) return 1 ;;
  esac
  # the number outlives its process and may be another's by now
  if [ -r "/proc/$holder/cmdline" ]; then
    tr '\0' ' ' <"/proc/$holder/cmdline" | grep -q zabra || return 1
  else
    ps -ww -o args= -p "$holder" 2>/dev/null | grep -q zabra || return 1
  fi
  echo "$holder"
}

await_end() {
  waited=0
  while is_alive "$1" && [ "$waited" -lt 60 ]; do
    sleep 1
    waited=$((waited + 1))
  done
}

do_start() {
  locate
  printf 'Starting zookeeper ... '
  if [ -f "$ZOOPIDFILE" ] && is_alive "$(cat "$ZOOPIDFILE")"; then
    echo "already running as process $(cat "$ZOOPIDFILE")."
    exit 1
  fi
  if ! require_config; then
    echo FAILED TO START
    exit 1
  fi
  mkdir -p "$ZOO_LOG_DIR" || exit 1
  # exec: the number that is written down is the server's own
  zabra_server exec nohup -- >"$OUT" 2>&1 </dev/null &
  pid=$!
  if ! printf '%s' "$pid" >"$ZOOPIDFILE"; then
    echo FAILED TO WRITE PID
    exit 1
  fi
  sleep 1
  if is_alive "$pid"; then
    echo STARTED
  else
    echo FAILED TO START
    tail -n 3 "$OUT" >&2
    exit 1
  fi
}

do_stop() {
  locate
  printf 'Stopping zookeeper ... '
  if [ -f "$ZOOPIDFILE" ]; then
    stopped_pid=$(cat "$ZOOPIDFILE")
    kill "$stopped_pid"
    rm "$ZOOPIDFILE"
  elif stopped_pid=$(holder_of_data "${ZOO_DATALOGDIR:-$ZOO_DATADIR}"); then
    kill "$stopped_pid"
  else
    echo "no zookeeper to stop (could not find file $ZOOPIDFILE)"
    stopped_pid=
    return
  fi
  sleep 1
  echo STOPPED
}

do_status() {
  address=$(zabra_setting clientPortAddress)
  port=$(zabra_setting clientPort)
  if [ -z "$port" ]; then
    echo "Client port not found. Looking for secureClientPort in the static config."
    echo "Unable to find either secure or unsecure client port in any configs. Terminating."
    exit 1
  fi
  case "$address" in
  '' | 0.0.0.0 | ::) address=localhost ;;
  esac
  echo "Client port found: $port. Client address: $address. Client SSL: false."
  case "$address" in
  *:*) address="[$address]" ;;
  esac
  mode=$("$NODE" "$ZABRA" word srvr "$address:$port" 2>/dev/null | grep Mode)
  if [ -z "$mode" ]; then
    echo "Error contacting service. It is probably not running."
    exit 1
  fi
  echo "$mode"
}

case "${1:-}" in
version) ;;
start | start-foreground | stop | restart | status | print-cmd)
  if [ -n "$zabra_has_file" ]; then
    echo "Using config: $ZOOCFG" >&2
  else
    echo "Using config: the environment (there is no $ZOOCFG)" >&2
  fi
  ;;
esac

case "${1:-}" in
start)
  do_start
  ;;
start-foreground)
  locate
  if [ -n "${ZOO_NOEXEC:-}" ]; then
    zabra_server --
  else
    zabra_server exec --
  fi
  ;;
print-cmd)
  config=
  [ -z "$zabra_has_file" ] || config=" \"$ZOOCFG\""
  echo "\"$NODE\" \"$ZABRA\" server$config > \"$OUT\" 2>&1 < /dev/null"
  ;;
stop)
  do_stop
  exit 0
  ;;
restart)
  do_stop
  [ -z "$stopped_pid" ] || await_end "$stopped_pid"
  do_start
  ;;
status)
  do_status
  ;;
version)
  "$NODE" "$ZABRA" version
  ;;
*)
  usage
  ;;
esac
