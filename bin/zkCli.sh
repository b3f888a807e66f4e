#!/bin/sh
# A shell for znodes. Arguments as Apache ZooKeeper's script of this name has them; CLIENT_JVMFLAGS and
# JVMFLAGS, whose -D's reach the client, may be set in $ZOOCFGDIR/java.env or zookeeper-env.sh.

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
export CLIENT_JVMFLAGS="${CLIENT_JVMFLAGS:-}"
exec "$NODE" "$ZABRA" cli "$@"
