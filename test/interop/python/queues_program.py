"""kazoo's queues, told what to do line by line: each command is answered with one line."""

import logging
import sys
import time

from kazoo.client import KazooClient
from kazoo.recipe.queue import LockingQueue, Queue

logging.basicConfig(level=logging.CRITICAL)
client = KazooClient(hosts=sys.argv[1], timeout=10.0)
client.start(timeout=20)
IDLE_S = 2.0


def put(path, kind, prefix, count):
    queue = {"kazoo": Queue, "locking": LockingQueue}[kind](client, path)
    for i in range(int(count)):
        queue.put(("%s%d" % (prefix, i)).encode())


def take(path, kind):
    return ",".join({"kazoo": take_plain, "locking": take_locking}[kind](path)) or "nothing"


def take_plain(path):
    queue = Queue(client, path)
    taken = []
    end = time.monotonic() + IDLE_S
    while time.monotonic() < end:
        item = queue.get()
        if item is None:
            time.sleep(0.01)
            continue
        taken.append(item.decode())
        end = time.monotonic() + IDLE_S
    return taken


def take_locking(path):
    queue = LockingQueue(client, path)
    taken = []
    while True:
        item = queue.get(IDLE_S)
        if item is None:
            return taken
        if not queue.consume():
            raise RuntimeError("%r is not held" % item)
        taken.append(item.decode())


print("ready", flush=True)
for line in sys.stdin:
    name, *words = line.split()
    try:
        print({"put": put, "take": take}[name](*words) or "done", flush=True)
    except Exception as problem:
        print("FAIL %s: %s" % (type(problem).__name__, problem), flush=True)
