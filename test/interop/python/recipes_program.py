"""kazoo's recipes, told what to do line by line: each command is answered with one line."""

import datetime
import logging
import sys

from kazoo.client import KazooClient
from kazoo.exceptions import NodeExistsError
from kazoo.recipe.lease import NonBlockingLease
from kazoo.recipe.lock import Lock, ReadLock, Semaphore, WriteLock
from kazoo.recipe.party import Party, ShallowParty

logging.basicConfig(level=logging.CRITICAL)
client = KazooClient(hosts=sys.argv[1], timeout=10.0)
client.start(timeout=20)
parties = {}


class SharedLock(Lock):
    """Of names that Curator sees too, as ReadLock and WriteLock have names of their own."""

    _NODE_NAME = "-lock-"
    _EXCLUDE_NAMES = ["-lock-", "__lock__"]


def alone(path):
    """What only one at a time may do: nobody else is inside, and adding one is not disturbed."""
    try:
        client.create(path + "-inside", ephemeral=True)
    except NodeExistsError:
        raise RuntimeError("somebody else is inside")
    before = int(client.get(path + "-sum")[0])
    client.set(path + "-sum", str(before + 1).encode())
    client.delete(path + "-inside")


def contend(lock, rounds, path):
    for _ in range(rounds):
        with lock:
            alone(path)


def lock(path, rounds):
    contend(SharedLock(client, path, "python"), int(rounds), path)


def plainlock(path, rounds):
    contend(client.Lock(path, "python"), int(rounds), path)


def write(path, rounds):
    contend(WriteLock(client, path, "python"), int(rounds), path)


def read(path, rounds):
    for _ in range(int(rounds)):
        with ReadLock(client, path, "python"):
            if client.exists(path + "-inside"):
                raise RuntimeError("a writer is inside")


def semaphore(path, rounds, leases):
    for _ in range(int(rounds)):
        with Semaphore(client, path, "python", max_leases=int(leases)):
            own = client.create(path + "-inside/n", ephemeral=True, sequence=True)
            now = len(client.get_children(path + "-inside"))
            client.delete(own)
        if now > int(leases):
            raise RuntimeError("%d are inside" % now)


def election(path, rounds):
    for _ in range(int(rounds)):
        one = client.Election(path, "python")
        one.lock = SharedLock(client, path, "python")
        one.run(alone, path)


def plainelection(path, rounds):
    for _ in range(int(rounds)):
        client.Election(path, "python").run(alone, path)


def count(path, rounds):
    number = client.Counter(path, default=0)
    for _ in range(int(rounds)):
        number += 1


def barrier(path):
    client.Barrier(path).wait()


def join(path, kind):
    party = {"party": Party, "shallow": ShallowParty}[kind](client, path, "python")
    party.join()
    parties[path] = party


def members(path):
    return ",".join(sorted(parties[path]))


def leave(path):
    parties.pop(path).leave()


def lease(path, seconds):
    duration = datetime.timedelta(seconds=int(seconds))
    return "yes" if NonBlockingLease(client, path, duration, identifier="python") else "no"


print("ready", flush=True)
for line in sys.stdin:
    name, *words = line.split()
    try:
        print(globals()[name](*words) or "done", flush=True)
    except Exception as problem:
        print("FAIL %s: %s" % (type(problem).__name__, problem), flush=True)
