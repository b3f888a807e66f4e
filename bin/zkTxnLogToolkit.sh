#!/bin/sh
# Prints, repairs or cuts a transaction log. Arguments as Apache ZooKeeper's script of this name has them.

self=$0
while [ -L "$self" ]; do
  target=$(readlink "$self")
  case "$target" in
  /*) self=$target ;;
  *) self=$(dirname "$self")/$target ;;
  esac
done
ZOOBINDIR=$(cd "$(dirname "$self")" && pwd)
exec "${NODE:-node}" "$ZOOBINDIR/zabra" log "$@"
